// What /extract answers (docs/EXTRACTION.md, "Output"), and how its values are grouped for people.
import { t, tOr } from "../text";

export type Level = "ok" | "note" | "flag";

export interface Verdict {
  id: string;
  level: Level;
  message: string;
  rule?: string;
  source?: string;
}

export type Scalar = string | number | boolean | null;

export interface Evidence {
  page: number; // of the case, from 1
  file: string;
  page_of_file: number;
  box: [number, number, number, number]; // in units of the page, from the top left corner
  words: string;
}

export interface Value {
  path: string;
  value: Scalar;
  text?: string;
  confidence?: { mean: number; lowest: number };
  evidence?: Evidence;
  ucum?: string;
  converted?: { value: string; ucum: string };
  second_reader?: Scalar;
  verdicts: Verdict[];
}

export interface Page {
  page: number; // of the case, from 1
  file: string;
  page_of_file: number;
  width: number;
  height: number;
  image?: string | null; // data URL; null: the case has more pages than there are pictures
}

export interface Extraction {
  galen: string;
  written: string;
  kind: string;
  complete: boolean;
  document: unknown;
  files: { path: string; sha256: string; bytes: number }[];
  pages: Page[];
  readers: { model: string; reads: string; digest?: string }[];
  values: Value[];
  verdicts: Verdict[];
  summary: { values: number; flagged: number; noted: number };
  warnings: string[];
}

export const textOf = (value: Value): string => shown(value.value, value.text);
export function shown(value: Scalar, text?: string): string {
  return value === null ? "" : (text ?? String(value));
}

/** The worst of a value's verdicts; "none" where nothing was compared. */
export function levelOf(value: Value): Level | "none" {
  const levels = value.verdicts.map((v) => v.level);
  return levels.includes("flag") ? "flag" : levels.includes("note") ? "note" : levels.length ? "ok" : "none";
}

export interface Group {
  key: string;
  title: string;
  values: Value[];
}

const segments = (path: string): string[] =>
  path
    .split("/")
    .slice(1)
    .map((s) => s.replace(/~1/g, "/").replace(/~0/g, "~"));

export function humanise(name: string): string {
  const words = name.replace(/_/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function fieldName(value: Value): string {
  const parts = segments(value.path);
  const last = parts[parts.length - 1] ?? "";
  if (!/^\d+$/.test(last)) return humanise(last);
  return `${humanise(parts[parts.length - 2] ?? "")} ${Number(last) + 1}`;
}

const isText = (value: Value): boolean => typeof value.value === "string" && value.value !== "";

/** Values of one object together, in the order of the answer; records are named after their first text. */
export function groupsOf(values: Value[]): Group[] {
  const groups = new Map<string, Value[]>();
  for (const value of values) {
    const parts = segments(value.path);
    // A text in a list belongs to the object that has the list.
    const depth = /^\d+$/.test(parts[parts.length - 1] ?? "") ? 2 : 1;
    const key = parts.slice(0, -depth).join("/");
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return [...groups].map(([key, members]) => {
    const names = key.split("/").filter(Boolean);
    const title = names.map((n) => (/^\d+$/.test(n) ? String(Number(n) + 1) : humanise(n))).join(" ");
    const record = /^\d+$/.test(names[names.length - 1] ?? "") ? members.find(isText) : undefined;
    return {
      key,
      title: (title || t("result.group.document")) + (record ? ` · ${textOf(record)}` : ""),
      values: members,
    };
  });
}

/** The document with a value put at a JSON pointer; copies what it changes. */
export function withValue(document: unknown, path: string, value: Scalar): unknown {
  const put = (node: unknown, parts: string[]): unknown => {
    if (!parts.length) return value;
    const [first, ...rest] = parts as [string, ...string[]];
    if (Array.isArray(node)) return node.map((x, i) => (i === Number(first) ? put(x, rest) : x));
    const object = node as Record<string, unknown>;
    return { ...object, [first]: put(object?.[first], rest) };
  };
  return put(document, segments(path));
}

export const kindName = (kind: string): string => tOr(`doc.kind.${kind}`, humanise(kind));
