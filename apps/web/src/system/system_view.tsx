import { useEffect, useState } from "preact/hooks";
import { call, getJson } from "../api";
import { describe, ErrorBox } from "../parts";
import { server } from "../server";
import { number, t, type TextKey } from "../text";
import { parseMetrics, routesOf, total, type Sample } from "./metrics";
import { Audit } from "./audit";
import { ModelTable, type LoadedModel, type ModelFacts } from "./model_table";

const POLL_MS = 2000;
const HISTORY = 150; // samples: five minutes

interface Seen {
  facts: ModelFacts[];
  loaded: LoadedModel[];
  samples: Sample[];
}

/** Answer tokens a second between two looks at the counters. */
interface Point {
  at: number;
  tokens: number;
  speed: number;
}

export function SystemView({ visible }: { visible: boolean }) {
  const [seen, setSeen] = useState<Seen | null>(null);
  const [history, setHistory] = useState<Point[]>([]);
  const [fault, setFault] = useState("");

  useEffect(() => {
    if (!visible) return;
    let stopped = false;
    async function look() {
      if (server.get().health === "gone") return;
      try {
        const [tags, ps, metrics] = await Promise.all([
          getJson<{ models: ModelFacts[] }>("/api/tags"),
          getJson<{ models: LoadedModel[] }>("/api/ps"),
          call("/metrics").then((r) => r.text()),
        ]);
        if (stopped) return;
        const samples = parseMetrics(metrics);
        setSeen({ facts: tags.models, loaded: ps.models, samples });
        setFault("");
        const at = performance.now();
        const tokens = total(samples, "galen_answer_tokens_total");
        setHistory((old) => {
          const before = old[old.length - 1];
          const speed = before ? Math.max(0, ((tokens - before.tokens) * 1000) / (at - before.at)) : 0;
          return [...old, { at, tokens, speed }].slice(-HISTORY);
        });
      } catch (error) {
        if (!stopped) setFault(describe(error));
      }
    }
    void look();
    const timer = setInterval(() => void look(), POLL_MS);
    return () => {
      stopped = true;
      clearInterval(timer);
    };
  }, [visible]);

  const { health, version, modelStates } = server.use();
  return (
    <div class="system">
      <h1>{t("sys.title")}</h1>
      {fault && health !== "gone" && <ErrorBox message={fault} />}
      <dl class="figures">
        <Figure name={t("sys.health")} value={t(`sys.health.${health}` as TextKey)} />
        <Figure name={t("sys.version")} value={version} />
        {seen && (
          <>
            <Figure name={t("sys.connections")} value={number(total(seen.samples, "galen_connections"))} />
            <Figure name={t("sys.running")} value={number(total(seen.samples, "galen_requests_running"))} />
            <Figure name={t("sys.waiting")} value={number(total(seen.samples, "galen_requests_waiting"))} />
            <Figure name={t("sys.speed")} value={number(history[history.length - 1]?.speed ?? 0)} />
          </>
        )}
      </dl>
      {seen && (
        <>
          <section class="card">
            <h2>{t("sys.models")}</h2>
            <ModelTable facts={seen.facts} loaded={seen.loaded} states={modelStates} />
          </section>
          <section class="card">
            <h2>{t("sys.load")}</h2>
            <History points={history} />
            <dl class="figures small">
              <Figure name={t("sys.answer_tokens")} value={number(total(seen.samples, "galen_answer_tokens_total"))} />
              <Figure name={t("sys.prompt_tokens")} value={number(total(seen.samples, "galen_prompt_tokens_total"))} />
              <Figure name={t("sys.cached")} value={number(total(seen.samples, "galen_cached_tokens_total"))} />
              <Figure name={t("sys.images")} value={number(total(seen.samples, "galen_images_total"))} />
            </dl>
          </section>
          <Requests samples={seen.samples} />
          <Audit />
        </>
      )}
    </div>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function History({ points }: { points: Point[] }) {
  if (points.length < 2) return null;
  const most = Math.max(...points.map((p) => p.speed));
  const top = most || 1;
  const x = (i: number) => (300 * (i + HISTORY - points.length)) / (HISTORY - 1);
  const line = points.map((p, i) => `${x(i).toFixed(1)},${(58 - (54 * p.speed) / top).toFixed(1)}`).join(" ");
  const label = t("sys.history", { n: number((HISTORY * POLL_MS) / 60_000), max: number(most) });
  return (
    <figure class="history">
      <svg viewBox="0 0 300 60" preserveAspectRatio="none" aria-hidden="true">
        <polyline points={line} />
      </svg>
      <figcaption class="quiet small">{label}</figcaption>
    </figure>
  );
}

function Requests({ samples }: { samples: Sample[] }) {
  const routes = routesOf(samples);
  if (!routes.length) return null;
  return (
    <section class="card">
      <h2>{t("sys.requests")}</h2>
      <div class="wide-table" tabIndex={0} role="group" aria-label={t("sys.requests")}>
        <table class="plain">
          <thead>
            <tr>
              <th scope="col">{t("sys.route")}</th>
              <th scope="col" class="num">{t("sys.answered")}</th>
              <th scope="col" class="num">{t("sys.refused")}</th>
              <th scope="col" class="num">{t("sys.errors")}</th>
              <th scope="col" class="num">{t("sys.mean")}</th>
            </tr>
          </thead>
          <tbody>
            {routes.map((r) => (
              <tr key={r.route}>
                <th scope="row">
                  <code>{r.route}</code>
                </th>
                <td class="num">{number(r.answered)}</td>
                <td class="num">{number(r.refused)}</td>
                <td class="num">{number(r.errors)}</td>
                <td class="num">{t("sys.seconds", { n: r.meanSeconds.toPrecision(2) })}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
