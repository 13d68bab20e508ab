// Calls of the server that served this page; no other address is ever asked.

const KEY_SLOT = "galen.key";

export class ApiError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0: no answer. */
    readonly status: number,
  ) {
    super(message);
  }
}

export const getKey = (): string => sessionStorage.getItem(KEY_SLOT) ?? "";
export function setKey(key: string): void {
  if (key) sessionStorage.setItem(KEY_SLOT, key);
  else sessionStorage.removeItem(KEY_SLOT);
}

/** What the server says about an error, in either of its two forms. */
export function messageOf(body: string, status: number): string {
  try {
    const { error } = JSON.parse(body);
    return typeof error === "string" ? error : error.message;
  } catch {
    return `HTTP ${status}`;
  }
}

let onDenied: () => void = () => {};
let onUnreachable: () => void = () => {};
export function watchCalls(denied: () => void, unreachable: () => void): void {
  onDenied = denied;
  onUnreachable = unreachable;
}

/** The answer of a call that succeeded; ApiError otherwise. An AbortError passes through. */
export async function call(path: string, init: RequestInit = {}, key = getKey()): Promise<Response> {
  const headers = new Headers(init.headers);
  if (key) headers.set("Authorization", `Bearer ${key}`);
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    onUnreachable();
    throw new ApiError("", 0);
  }
  if (response.ok) return response;
  if (response.status === 401) onDenied();
  throw new ApiError(messageOf(await response.text(), response.status), response.status);
}

export async function getJson<T>(path: string, key?: string): Promise<T> {
  return (await call(path, {}, key)).json() as Promise<T>;
}

export interface ServerEvent {
  event: string;
  data: string;
}

/** The events of a text/event-stream as they come. */
export async function* readEvents(response: Response): AsyncGenerator<ServerEvent> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    let piece: ReadableStreamReadResult<Uint8Array>;
    try {
      piece = await reader.read();
    } catch (error) {
      if ((error as Error).name === "AbortError") throw error;
      onUnreachable();
      throw new ApiError("", 0);
    }
    rest += decoder.decode(piece.value, { stream: !piece.done });
    for (let end = rest.indexOf("\n\n"); end >= 0; end = rest.indexOf("\n\n")) {
      const event = parseEvent(rest.slice(0, end));
      rest = rest.slice(end + 2);
      if (event) yield event;
    }
    if (piece.done) return;
  }
}

function parseEvent(block: string): ServerEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
  }
  return data.length ? { event, data: data.join("\n") } : null;
}

export function saveFile(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
