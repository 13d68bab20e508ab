// The Prometheus text of /metrics as numbers.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export function parseMetrics(text: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels: Record<string, string> = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[name!] = value!.replace(/\\(.)/g, "$1");
    samples.push({ name: match[1]!, labels, value: Number(match[3]) });
  }
  return samples;
}

export function total(samples: Sample[], name: string, labels: Record<string, string> = {}): number {
  const fits = (s: Sample) => s.name === name && Object.entries(labels).every(([k, v]) => s.labels[k] === v);
  return samples.filter(fits).reduce((sum, s) => sum + s.value, 0);
}

export interface RouteLoad {
  route: string;
  answered: number;
  refused: number;
  errors: number;
  meanSeconds: number;
}

export function routesOf(samples: Sample[]): RouteLoad[] {
  const routes = new Map<string, RouteLoad>();
  for (const { name, labels, value } of samples) {
    if (name !== "galen_http_requests_total") continue;
    const route = labels["route"]!;
    const load = routes.get(route) ?? { route, answered: 0, refused: 0, errors: 0, meanSeconds: 0 };
    const status = Number(labels["status"]);
    if (status >= 500) load.errors += value;
    else if (status >= 400) load.refused += value;
    else load.answered += value;
    routes.set(route, load);
  }
  for (const load of routes.values()) {
    const count = total(samples, "galen_http_request_seconds_count", { route: load.route });
    if (count) load.meanSeconds = total(samples, "galen_http_request_seconds_sum", { route: load.route }) / count;
  }
  // What people and programs ask, most asked first; the page's own questions are no load.
  const own = /^\/(ui\/|health|metrics|openapi|$)|^\/api\/(version|tags|ps)$|^\/v1\/models$/;
  return [...routes.values()].filter((r) => !own.test(r.route)).sort((a, b) => b.answered - a.answered);
}
