// What a person decided about values: corrections and acceptances, with who and when.
import { shown, textOf, withValue, type Extraction, type Scalar, type Value } from "./extraction";

export interface Decision {
  kind: "corrected" | "accepted";
  value: Scalar;
  /** Of a corrected number: as it was typed, with its digits. */
  text?: string;
  by: string;
  at: string; // RFC 3339
}

export type Review = Record<string, Decision>; // by path

export const corrections = (review: Review): number =>
  Object.values(review).filter((d) => d.kind === "corrected").length;

/** The text typed for a value, as the type that the value has; undefined: a number was wanted. */
export function typed(value: Value, text: string): Scalar | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (typeof value.value === "boolean") return trimmed === "true" ? true : trimmed === "false" ? false : trimmed;
  if (typeof value.value !== "number") return trimmed;
  const number = Number(trimmed.replace(",", "."));
  return Number.isFinite(number) ? number : undefined;
}

/** As `galen extract --format json`, with the corrections in `document` and beside their values. */
export function reviewedJson(extraction: Extraction, review: Review): string {
  let document = extraction.document;
  for (const [path, decision] of Object.entries(review)) {
    if (decision.kind === "corrected") document = withValue(document, path, decision.value);
  }
  const values = extraction.values.map((value) => {
    const decision = review[value.path];
    if (!decision) return value;
    const { kind, value: now, text, by, at } = decision;
    return { ...value, review: kind === "corrected" ? { kind, value: now, text, by, at } : { kind, by, at } };
  });
  const pages = extraction.pages.map(({ image: _, ...page }) => page);
  const counts = { corrected: corrections(review), reviewed: Object.keys(review).length, values: values.length };
  return JSON.stringify({ ...extraction, document, values, pages, review: counts }, null, 2) + "\n";
}

// Spreadsheets take a cell that begins so for a formula (OWASP, CSV Injection).
function cell(text: string): string {
  const number = /^[+\-0-9.eE]*$/.test(text);
  const harmless = !number && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replace(/"/g, '""')}"` : harmless;
}

const columns = [
  "path", "value", "level", "flags", "notes", "confidence", "ucum", "file", "page", "words",
  "review", "value_as_read", "reviewed_by", "reviewed_at",
];

export function reviewedCsv(extraction: Extraction, review: Review): string {
  const rows = extraction.values.map((value) => {
    const decision = review[value.path];
    const ids = (level: string) => value.verdicts.filter((v) => v.level === level).map((v) => v.id).join(" ");
    const flags = ids("flag");
    const notes = ids("note");
    const corrected = decision?.kind === "corrected";
    return [
      value.path,
      corrected ? shown(decision.value, decision.text) : textOf(value),
      flags ? "flag" : notes ? "note" : "ok",
      flags,
      notes,
      value.confidence ? value.confidence.mean.toPrecision(4) : "",
      value.ucum ?? "",
      value.evidence?.file ?? "",
      value.evidence ? String(value.evidence.page_of_file) : "",
      value.evidence?.words ?? "",
      decision?.kind ?? "",
      corrected ? textOf(value) : "",
      decision?.by ?? "",
      decision?.at ?? "",
    ];
  });
  return [columns, ...rows].map((row) => row.map(cell).join(",") + "\r\n").join("");
}
