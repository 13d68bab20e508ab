// POST /pixels and /pixels/order: files become series whose slices lie in memory as values (docs/API.md); /slides for whole slides.
import { ApiError, call } from "../api";
import { maxFiles } from "../server";
import { t } from "../text";
import type { Raster, Table, Values, Window } from "./grey";
import { noEdges, planesOfSeries, planesOfVolume, type Edges, type Plane, type SlicePlace } from "./planes";
import { readSlide } from "./slide";
import type { SlideTiles } from "./slide_tiles";
import { mostValues } from "./windows";

export interface Slice extends Raster {
  file: File;
  /** Of the file that was sent: for an archive, the frames of all it holds. More than are here where some could not be read. */
  framesOfFile: number;
  /** "cut": of a DICOM series, but in a plane that it was not cut in. */
  kind: "dicom" | "picture" | "volume" | "cut" | "slide";
  /** Of a whole slide, which has no values here. */
  tiles?: SlideTiles;
  unit: string;
  windows: Window[];
  tables: Table[];
  range: [number, number];
  /** Millimetres between rows and between columns. */
  spacing: [number, number] | null;
  spacingSource: string;
  thickness: number | null;
  lossy: boolean; // compressed with loss at some time
  location: number | null; // millimetres along the normal
  timePoint: number;
  /** Of a volume: which of its frames over time. */
  frame: number;
}

export interface Series {
  title: string;
  modality: string;
  number: number | null;
  slices: Slice[];
  normal: number[] | null;
  /** Of all slices. */
  range: [number, number];
  notes: string[];
  /** Made here, of the series at `head`, which is the one that was read. */
  cut: boolean;
  head: number;
  plane: Plane | null;
  edges: Edges;
  /** To be shown in first; null: the file's own window, or all values. */
  window?: Window;
}

export interface Study {
  series: Series[];
  warnings: string[];
  /** Digest of who it is of; null where the files do not say. */
  patient: string | null;
}

export interface Progress {
  done: number; // files
  total: number;
}

interface SliceJson {
  file: number;
  kind: "dicom" | "picture" | "volume";
  rows: number;
  columns: number;
  channels: number;
  type: "uint8" | "int8" | "uint16" | "int16" | "float32";
  offset: number;
  slope: number;
  intercept: number;
  unit?: string;
  inverted?: boolean;
  windows?: Window[];
  tables?: number[];
  range: [number, number];
  spacing?: [number, number] | null;
  spacing_source?: string;
  thickness?: number | null;
  modality?: string;
  body_part?: string;
  laterality?: string;
  view_position?: string;
  series_number?: number | null;
  lossy?: boolean;
  header?: { patient_id: string | null } & SlicePlace;
  slice_spacing?: number;
  time_point?: number;
}

interface Pack {
  frames: number;
  next: number | null;
  slices: SliceJson[];
  tables: Table[];
  warnings: string[];
}

interface Read {
  slice: Slice;
  json: SliceJson;
}

const BATCH_BYTES = 12e6; // of the files of one request
const MOST_BYTES = 1.5e9; // of all values in this tab
const HEAD = 8;
const arrays = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array, float32: Float32Array };

function batchesOf(files: File[]): File[][] {
  const most = Math.min(maxFiles(), 32);
  const batches: File[][] = [];
  let batch: File[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length && (bytes + file.size > BATCH_BYTES || batch.length >= most)) {
      batches.push(batch);
      [batch, bytes] = [[], 0];
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length) batches.push(batch);
  return batches;
}

function unpack(buffer: ArrayBuffer): { pack: Pack; base: number } {
  const magic = new TextDecoder("latin1").decode(new Uint8Array(buffer, 0, Math.min(4, buffer.byteLength)));
  if (magic !== "GPX1") throw new ApiError(t("img.bad_answer"), 500);
  const length = new DataView(buffer).getUint32(4, true);
  const text = new TextDecoder().decode(new Uint8Array(buffer, HEAD, length));
  return { pack: JSON.parse(text) as Pack, base: HEAD + length };
}

function sliceOf(json: SliceJson, values: Values, file: File, tables: Table[]): Slice {
  return {
    file,
    framesOfFile: 1,
    kind: json.kind,
    rows: json.rows,
    columns: json.columns,
    channels: json.channels,
    values,
    slope: json.slope,
    intercept: json.intercept,
    unit: json.unit ?? "",
    inverted: json.inverted ?? false,
    windows: json.windows ?? [],
    tables: (json.tables ?? []).map((i) => tables[i]!),
    range: json.range,
    spacing: json.spacing ?? null,
    spacingSource: json.spacing_source ?? "",
    thickness: json.thickness ?? null,
    lossy: json.lossy ?? false,
    location: null,
    timePoint: 0,
    frame: json.time_point ?? 0,
  };
}

const askPixels = async (form: FormData, signal: AbortSignal): Promise<ArrayBuffer> =>
  (await call("/pixels", { method: "POST", body: form, signal })).arrayBuffer();

const isRefused = (error: unknown): error is ApiError => error instanceof ApiError && error.status === 400;

async function readBatch(batch: File[], onBytes: (n: number) => void, warnings: Set<string>, signal: AbortSignal): Promise<Read[]> {
  const out: Read[] = [];
  let frames = 0;
  let partly: File | null = null; // some of whose frames may not be here
  for (let from: number | null = 0; from !== null; ) {
    const form = new FormData();
    for (const file of batch) form.append("file", file, file.name);
    form.append("from", String(from));
    const buffer = await askPixels(form, signal).catch((error) => {
      // None of the frames that are left can be read; those before them are kept.
      if (!out.length || !isRefused(error)) throw error;
      warnings.add(error.message);
      return null;
    });
    if (!buffer) {
      partly = out[out.length - 1]!.slice.file;
      break;
    }
    const { pack, base } = unpack(buffer);
    frames = pack.frames;
    onBytes(buffer.byteLength);
    pack.warnings.forEach((w) => warnings.add(w));
    for (const json of pack.slices) {
      const values = new arrays[json.type](buffer, base + json.offset, json.rows * json.columns * json.channels);
      out.push({ slice: sliceOf(json, values, batch[json.file]!, pack.tables), json });
    }
    from = pack.next;
  }
  if (batch.length === 1 && frames > out.length) partly = batch[0]!;
  for (const file of batch) {
    const own = out.filter((r) => r.slice.file === file);
    own.forEach((r) => (r.slice.framesOfFile = own.length + (file === partly ? 1 : 0)));
  }
  return out;
}

function rangeOf(slices: Slice[]): [number, number] {
  return [Math.min(...slices.map((s) => s.range[0])), Math.max(...slices.map((s) => s.range[1]))];
}

const uncut = { cut: false, head: 0, plane: null, edges: noEdges };

function pictureSeries(read: Read[]): Series[] {
  const byFile = new Map<File, Slice[]>();
  for (const { slice } of read) byFile.set(slice.file, [...(byFile.get(slice.file) ?? []), slice]);
  return [...byFile].map(([file, slices]) => ({
    title: file.name,
    modality: "",
    number: null,
    slices,
    normal: null,
    range: rangeOf(slices),
    notes: [],
    ...uncut,
  }));
}

/** Each frame of each volume in three planes. */
function volumeSeries(read: Read[]): Series[] {
  const groups = new Map<string, Read[]>();
  const files = new Map<File, number>();
  for (const r of read) {
    if (!files.has(r.slice.file)) files.set(r.slice.file, files.size);
    const key = `${files.get(r.slice.file)} ${r.slice.frame}`;
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  return [...groups.values()].flatMap((own) => {
    const { slice: first, json } = own[0]!;
    const step = json.slice_spacing ?? 1;
    const slices = own.map(({ slice }, k) => ({ ...slice, location: k * step, framesOfFile: own.length }));
    const many = read.some((r) => r.slice.file === first.file && r.slice.frame !== first.frame);
    const series: Series = {
      title: many ? t("img.volume_frame", { name: first.file.name, n: first.frame + 1 }) : first.file.name,
      modality: json.modality ?? "",
      number: null,
      slices,
      normal: null,
      range: rangeOf(slices),
      notes: [],
      ...uncut,
    };
    if (first.unit !== "HU") series.window = mostValues(slices);
    return planesOfVolume(series, step);
  });
}

interface OrderAnswer {
  series: {
    slices: number[];
    locations: (number | null)[];
    time_points: number[];
    normal: number[] | null;
    warnings: { text: string }[];
  }[];
}

function titleOf({ modality, series_number, body_part, laterality, view_position }: SliceJson): string {
  const number = series_number == null ? "" : t("img.series_n", { n: series_number });
  return [modality, body_part, laterality, view_position, number].filter(Boolean).join(" · ") || t("img.series");
}

async function dicomSeries(read: Read[], signal: AbortSignal): Promise<Series[]> {
  if (!read.length) return [];
  const response = await call("/pixels/order", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ slices: read.map((r) => r.json.header) }),
    signal,
  });
  const { series } = (await response.json()) as OrderAnswer;
  return series.flatMap((s) => {
    const slices = s.slices.map((index, k) => ({ ...read[index]!.slice, location: s.locations[k]!, timePoint: s.time_points[k]! }));
    const first = read[s.slices[0]!]!.json;
    const one: Series = {
      title: titleOf(first),
      modality: first.modality ?? "",
      number: first.series_number ?? null,
      slices,
      normal: s.normal,
      range: rangeOf(slices),
      notes: s.warnings.map((w) => w.text),
      ...uncut,
    };
    return planesOfSeries(one, s.slices.map((index) => read[index]!.json.header!));
  });
}

/** ApiError: nothing can be shown; its message says why. */
export async function readStudy(files: File[], onProgress: (progress: Progress) => void, signal: AbortSignal): Promise<Study> {
  const slide = await readSlide(files, signal);
  if (slide) return slide;
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const warnings = new Set<string>();
  const read: Read[] = [];
  let done = 0;
  let bytes = 0;
  let fault: unknown = null;
  const count = (n: number) => {
    bytes += n;
    if (bytes > MOST_BYTES) throw new RangeError(t("img.too_large"));
  };
  onProgress({ done, total: files.length });
  for (const batch of batchesOf(sorted)) {
    try {
      read.push(...(await readBatch(batch, count, warnings, signal)));
    } catch (error) {
      // Files of a folder that are no pictures do not keep the others from being seen.
      if (!isRefused(error)) throw error;
      fault ??= error;
      warnings.add(error.message);
    }
    done += batch.length;
    onProgress({ done, total: files.length });
  }
  if (!read.length) throw fault ?? new ApiError(t("img.nothing"), 400);
  const dicom = read.filter((r) => r.slice.kind === "dicom");
  const series = [
    ...(await dicomSeries(dicom, signal)),
    ...volumeSeries(read.filter((r) => r.slice.kind === "volume")),
    ...pictureSeries(read.filter((r) => r.slice.kind === "picture")),
  ];
  let head = 0;
  series.forEach((s, i) => (s.head = head = s.cut ? head : i));
  const patient = dicom.find((r) => r.json.header?.patient_id)?.json.header?.patient_id ?? null;
  return { series, warnings: [...warnings], patient };
}
