// POST /extract, and what it streams while it works (docs/API.md).
import { ApiError, call, messageOf, readEvents } from "../api";
import { t } from "../text";
import type { Extraction } from "./extraction";

export interface ReadRequest {
  files: File[];
  kind: string;
  model: string;
}

export interface Progress {
  opened: number; // pages
  pages: number;
  kind: string; // as recognised; empty: not yet
  answer: string; // the model's, so far
  tokens: number;
}

function formOf(request: ReadRequest, format: string): FormData {
  const form = new FormData();
  for (const file of request.files) form.append("file", file, file.name);
  form.append("schema", request.kind);
  form.append("model", request.model);
  form.append("format", format);
  return form;
}

export async function readDocument(
  request: ReadRequest,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Extraction> {
  const form = formOf(request, "json");
  form.append("pages", "true");
  form.append("stream", "true");
  const response = await call("/extract", { method: "POST", body: form, signal });
  let progress: Progress = { opened: 0, pages: 0, kind: "", answer: "", tokens: 0 };
  for await (const { event, data } of readEvents(response)) {
    const json = JSON.parse(data);
    if (event === "result") return json as Extraction;
    if (event === "error") throw new ApiError(messageOf(data, 500), 500);
    if (event === "page") progress = { ...progress, opened: json.done, pages: json.total };
    else if (event === "kind") progress = { ...progress, kind: json.kind };
    else if (event === "token")
      progress = { ...progress, answer: progress.answer + json.text, tokens: progress.tokens + 1 };
    onProgress(progress);
  }
  throw new ApiError(t("doc.no_result"), 500);
}

/** The bundle is the server's: it reads the same files again under the kind that was found. */
export async function readFhir(request: ReadRequest, kind: string): Promise<string> {
  const form = formOf({ ...request, kind }, "fhir");
  return (await call("/extract", { method: "POST", body: form })).text();
}
