// POST /extract, and what it streams while it works.
import { ApiError, call, messageOf, readEvents } from "../api";
import { t } from "../text";
import type { Extraction, Page } from "./extraction";

export interface ReadRequest {
  files: File[];
  kind: string;
  model: string;
}

export interface Watch {
  page(page: Page): void;
  token(text: string): void;
}

function formOf(request: ReadRequest, format: string): FormData {
  const form = new FormData();
  for (const file of request.files) form.append("file", file, file.name);
  form.append("schema", request.kind);
  form.append("model", request.model);
  form.append("format", format);
  return form;
}

export async function readDocument(request: ReadRequest, watch: Watch, signal: AbortSignal): Promise<Extraction> {
  const form = formOf(request, "json");
  form.append("pages", "true");
  form.append("stream", "true");
  const response = await call("/extract", { method: "POST", body: form, signal });
  for await (const { event, data } of readEvents(response)) {
    if (event === "page") watch.page(JSON.parse(data) as Page);
    else if (event === "token") watch.token((JSON.parse(data) as { text: string }).text);
    else if (event === "result") return JSON.parse(data) as Extraction;
    else if (event === "error") throw new ApiError(messageOf(data, 500), 500);
  }
  throw new ApiError(t("doc.no_result"), 500);
}

/** The bundle is the server's: it reads the same files again under the kind that was found. */
export async function readFhir(request: ReadRequest, kind: string): Promise<string> {
  const form = formOf({ ...request, kind }, "fhir");
  return (await call("/extract", { method: "POST", body: form })).text();
}
