// POST /v1/chat/completions, streamed.
import { ApiError, call, messageOf, readEvents } from "../api";

export interface Image {
  name: string;
  url: string; // data URL
}

export interface Turn {
  role: "user" | "assistant";
  text: string;
  images?: Image[];
}

export interface Settings {
  model: string;
  system: string;
  temperature: number;
  maxTokens: number;
}

/** Where an answer came from, and how long it took. */
export interface Provenance {
  model: string;
  fingerprint: string;
  request: string;
  promptTokens: number;
  answerTokens: number;
  tokensPerSecond: number; // behind the first one
  firstSeconds: number;
}

export type Ending = "stop" | "length" | "aborted";

export interface Watch {
  text(piece: string): void;
  thought(piece: string): void;
  done(ending: Ending, provenance: Provenance): void;
}

interface Chunk {
  model: string;
  system_fingerprint: string;
  choices: { delta: { content?: string; reasoning_content?: string }; finish_reason: string | null }[];
  usage: { prompt_tokens: number; completion_tokens: number } | null;
}

function messageFor(turn: Turn) {
  if (!turn.images?.length) return { role: turn.role, content: turn.text };
  const images = turn.images.map((image) => ({ type: "image_url", image_url: { url: image.url } }));
  return { role: turn.role, content: [...images, { type: "text", text: turn.text }] };
}

export async function complete(turns: Turn[], settings: Settings, watch: Watch, signal: AbortSignal): Promise<void> {
  const system = settings.system.trim() ? [{ role: "system", content: settings.system.trim() }] : [];
  const began = performance.now();
  let first = 0;
  let last = 0;
  let pieces = 0;
  let ending: Ending = "stop";
  const provenance: Provenance = {
    model: settings.model,
    fingerprint: "",
    request: "",
    promptTokens: 0,
    answerTokens: 0,
    tokensPerSecond: 0,
    firstSeconds: 0,
  };
  try {
    const response = await call("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        model: settings.model,
        messages: [...system, ...turns.map(messageFor)],
        temperature: settings.temperature,
        max_tokens: settings.maxTokens,
        stream: true,
        stream_options: { include_usage: true },
      }),
      signal,
    });
    provenance.request = response.headers.get("X-Request-Id") ?? "";
    for await (const { data } of readEvents(response)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data) as Chunk;
      if ("error" in chunk) throw new ApiError(messageOf(data, 500), 500);
      last = performance.now();
      provenance.model = chunk.model;
      provenance.fingerprint = chunk.system_fingerprint;
      if (chunk.usage) {
        provenance.promptTokens = chunk.usage.prompt_tokens;
        provenance.answerTokens = chunk.usage.completion_tokens;
      }
      const choice = chunk.choices[0];
      if (choice?.finish_reason) ending = choice.finish_reason === "length" ? "length" : "stop";
      const { content, reasoning_content: thought } = choice?.delta ?? {};
      if (!content && !thought) continue;
      first ||= last;
      ++pieces;
      if (thought) watch.thought(thought);
      if (content) watch.text(content);
    }
  } catch (error) {
    if ((error as Error).name !== "AbortError") throw error;
    ending = "aborted";
  }
  // Stopped, the server does not say how many tokens there were; pieces are a lower bound.
  provenance.answerTokens ||= pieces;
  if (first) {
    provenance.firstSeconds = (first - began) / 1000;
    if (last > first) provenance.tokensPerSecond = ((provenance.answerTokens - 1) * 1000) / (last - first);
  }
  watch.done(ending, provenance);
}
