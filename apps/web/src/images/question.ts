// POST /analyze and /look about what is shown.
import { ApiError, call, messageOf, readEvents } from "../api";
import { maxFiles } from "../server";
import { t } from "../text";
import { seriesOf, sliceOf, type Box, type Pane } from "./pane_state";
import { pictureFile } from "./picture";
import type { Slice } from "./study";
import { asExact, asLinear, voiOf, windowOf } from "./windows";

export type Scope = "slice" | "series";

export interface Question {
  scope: Scope;
  recipe: string; // empty: by what the files are
  asShown: boolean; // the window of the page, not the recipe's
  text: string;
  model: string;
}

export interface Media {
  recipe: { name: string; version: string; official: boolean };
  images: { source: string; width: number; height: number; png?: string }[];
  overviews?: { source: string; png: string }[]; // of slides: where the patches lie
  facts: { name: string; value: string }[];
  warnings: string[];
  digest: string;
  prompt?: string;
}

export interface Answer {
  text: string;
  model: string;
  media: Media;
  finish_reason: string;
  thinking?: string;
  boxes?: { boxes: Box[]; warnings: string[] };
  usage: { prompt_tokens: number; completion_tokens: number };
  timings: { decode_tokens_per_s: number };
}

const MOST_BYTES = 48e6; // of the files of a question

function thinned(files: File[]): File[] {
  const mean = files.reduce((sum, f) => sum + f.size, 0) / files.length;
  const most = Math.max(1, Math.min(files.length, maxFiles(), Math.floor(MOST_BYTES / mean)));
  if (most === files.length) return files;
  // Evenly, the first and the last among them.
  return Array.from({ length: most }, (_, k) => files[most === 1 ? 0 : Math.round((k * (files.length - 1)) / (most - 1))]!);
}

const filesOfSeries = (pane: Pane): File[] => [...new Set(seriesOf(pane).slices.map((s) => s.file))];

/** How many files of the series go along, of how many. */
export function countFiles(pane: Pane): { sent: number; of: number } {
  const files = filesOfSeries(pane);
  return { sent: thinned(files).length, of: files.length };
}

const isVolume = (pane: Pane): boolean => sliceOf(pane).kind === "volume";

/** Only CT and MR have recipes for series, in the plane that they were cut in; volumes have them in all planes. */
export const hasSeriesRecipe = (pane: Pane): boolean => isVolume(pane) || (["CT", "MR"].includes(seriesOf(pane).modality) && !seriesOf(pane).cut);

/** Names of recipes that there is a choice of; empty: by what the files are. */
export function recipesOf(pane: Pane): string[] {
  const { kind } = sliceOf(pane);
  // NIfTI names no modality: whoever knows it can say so.
  return kind === "slide" ? ["", "image"] : kind === "volume" ? ["", "ct", "mr", "localise", "image"] : ["", "localise", "image"];
}

/** Whether this recipe gets slices by their values, and so a series, too. */
export const takesSeries = (pane: Pane, recipe: string): boolean => hasSeriesRecipe(pane) && ["", "ct", "mr"].includes(recipe);

/** The server takes windows that are straight lines. */
export const canWindow = (pane: Pane): boolean => {
  const slice = sliceOf(pane);
  const voi = voiOf(pane.choice, slice, seriesOf(pane));
  const straight = voi.kind === "range" || (voi.kind === "window" && voi.window.function !== "sigmoid");
  return (slice.kind === "dicom" || slice.kind === "volume") && slice.channels === 1 && straight;
};

/** Whether its number, or that its files hold no other, says which series is meant. */
function isTold(pane: Pane): boolean {
  const series = seriesOf(pane);
  const files = new Set(filesOfSeries(pane));
  const beside = pane.study.series.filter((s) => s !== series && s.slices.some((x) => x.kind === "dicom" && files.has(x.file)));
  return !beside.length || (series.number !== null && beside.every((s) => s.number !== series.number));
}

/** Whether slices have the numbers here that they have for the server. */
const isWhole = (pane: Pane, { file, framesOfFile }: Slice): boolean =>
  pane.study.series.flatMap((s) => s.slices).filter((s) => s.file === file).length === framesOfFile;

async function formOf(pane: Pane, question: Question): Promise<FormData> {
  const form = new FormData();
  const series = seriesOf(pane);
  const slice = sliceOf(pane);
  const add = (file: File) => form.append("file", file, file.name);
  const asSeries = takesSeries(pane, question.recipe);
  let ofMany = false; // files that may hold other series, too
  let window = question.asShown && canWindow(pane);
  if (slice.tiles && question.recipe === "") {
    slice.tiles.files.forEach(add);
    form.append("recipe", "slide");
  } else if (isVolume(pane) && asSeries) {
    // The server cuts planes in the same order as this page.
    add(slice.file);
    form.append("plane", series.plane ?? "axial");
    form.append("frame", String(slice.frame));
    if (question.scope === "slice") form.append("slices", String(pane.slice + 1));
  } else if (isVolume(pane) || series.cut || slice.tiles) {
    add(await pictureFile(pane));
    window = false;
  } else if (question.scope === "series") {
    if (!isTold(pane)) throw new ApiError(t("img.no_series_number"), 400);
    thinned(filesOfSeries(pane)).forEach(add);
    ofMany = series.slices.some((s) => s.framesOfFile > 1);
  } else if (slice.framesOfFile === 1) add(slice.file);
  else if (asSeries && filesOfSeries(pane).length === 1 && isTold(pane) && isWhole(pane, slice)) {
    add(slice.file);
    form.append("slices", String(pane.slice + 1));
    ofMany = true;
  } else {
    // One frame of many: no field of the server chooses it for recipes of pictures.
    add(await pictureFile(pane));
    window = false;
  }
  if (ofMany && series.number !== null) form.append("series", String(series.number));
  if (window) {
    // Recipes for series take centre ± half the width, those for pictures the formula of DICOM.
    const shown = windowOf(voiOf(pane.choice, slice, series));
    const { center, width } = asSeries ? asExact(shown) : asLinear(shown);
    form.append("window_center", String(center));
    form.append("window_width", String(width));
  }
  // Of several series the server would take the recipe of the first.
  const recipe = ofMany ? series.modality.toLowerCase() : question.recipe;
  if (recipe) form.append("recipe", recipe);
  if (question.text.trim()) form.append("question", question.text.trim());
  return form;
}

export async function look(pane: Pane, question: Question, signal: AbortSignal): Promise<Media> {
  const response = await call("/look", { method: "POST", body: await formOf(pane, question), signal });
  return (await response.json()) as Media;
}

export interface Watch {
  text(piece: string): void;
  thought(piece: string): void;
}

export async function analyze(pane: Pane, question: Question, watch: Watch, signal: AbortSignal): Promise<Answer> {
  const form = await formOf(pane, question);
  form.append("model", question.model);
  form.append("think", "show");
  form.append("stream", "true");
  const response = await call("/analyze", { method: "POST", body: form, signal });
  for await (const { event, data } of readEvents(response)) {
    if (event === "error") throw new ApiError(messageOf(data, 500), 500);
    const json = JSON.parse(data);
    if (event === "result") return json as Answer;
    if (event === "token") watch.text(json.text);
    if (event === "thinking") watch.thought(json.text);
  }
  throw new ApiError(t("doc.no_result"), 500);
}
