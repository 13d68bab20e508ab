// What is known of the server: does it answer, must one sign in, which models and endpoints it has.
import { ApiError, getJson, getKey, setKey, watchCalls } from "./api";
import { announce } from "./announce";
import { makeStore } from "./store";
import { t } from "./text";

export interface Model {
  id: string;
  context_length: number;
  capabilities: string[];
}

export type Health = "unknown" | "up" | "draining" | "failed" | "gone";

interface ServerState {
  health: Health;
  /** "unknown" until the first answer. */
  access: "unknown" | "open" | "denied";
  models: Model[];
  endpoints: string[];
  /** Files of one request. */
  maxFiles: number;
  version: string;
  /** Of /health/ready: loaded, idle or failed, by model. */
  modelStates: Record<string, string>;
}

export const server = makeStore<ServerState>({
  health: "unknown",
  access: "unknown",
  models: [],
  endpoints: [],
  maxFiles: 1,
  version: "",
  modelStates: {},
});

const POLL_UP_MS = 4000;
const POLL_GONE_MS = 1000;
let timer = 0;

/** The part of /openapi.json that is looked at; of the paths, /look alone is as it stands here. */
interface Described {
  paths: Record<
    string,
    { post: { requestBody: { content: { "application/json": { schema: { properties: { files: { maxItems: number } } } } } } } }
  >;
}

async function loadLists(key: string): Promise<void> {
  const [models, openapi, version] = await Promise.all([
    getJson<{ data: Model[] }>("/v1/models", key),
    getJson<Described>("/openapi.json", key),
    getJson<{ version: string }>("/api/version", key),
  ]);
  server.set({
    access: "open",
    models: models.data,
    endpoints: Object.keys(openapi.paths),
    maxFiles: openapi.paths["/look"]?.post.requestBody.content["application/json"].schema.properties.files.maxItems ?? 1,
    version: version.version,
  });
}

/** True: the key is valid and is kept for this tab. */
export async function signIn(key: string): Promise<boolean> {
  try {
    await loadLists(key);
    setKey(key);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}

/** Nothing stays of who was here: documents, corrections, conversations, names. */
export function signOut(): void {
  setKey("");
  sessionStorage.clear();
  // Without the question about unsaved corrections: "stay" would leave them to the next person.
  window.addEventListener("beforeunload", (event) => event.stopImmediatePropagation(), { capture: true });
  location.reload();
}

async function poll(): Promise<void> {
  const before = server.get().health;
  let health: Health = "gone";
  let modelStates = server.get().modelStates;
  try {
    // 503 says why; only no answer at all is "gone".
    const response = await fetch("/health/ready", { cache: "no-store", credentials: "omit" });
    const body = (await response.json()) as { status: string; models: Record<string, string> };
    health = response.ok ? "up" : body.status === "draining" ? "draining" : "failed";
    modelStates = body.models;
  } catch {
    health = "gone";
  }
  server.set({ health, modelStates });
  if (health === "gone" && before !== "gone") announce(t("server.gone"));
  if (health === "up" && before === "gone") announce(t("server.back"));
  // A server that comes back may have other models, and another file of keys.
  if (health === "up" && (before === "gone" || server.get().access === "unknown")) {
    await loadLists(getKey()).catch(() => {});
  }
}

async function pollAndWait(): Promise<void> {
  clearTimeout(timer);
  await poll();
  timer = window.setTimeout(pollAndWait, server.get().health === "gone" ? POLL_GONE_MS : POLL_UP_MS);
}

export function startWatching(): void {
  watchCalls(
    () => server.set({ access: "denied" }),
    () => void pollAndWait(),
  );
  void pollAndWait();
}

export const has = (path: string): boolean => server.get().endpoints.includes(path);
export const maxFiles = (): number => server.get().maxFiles;
