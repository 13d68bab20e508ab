// Which window is shown: the file's own, a usual one, or one that was set by hand.
import { t, type TextKey } from "../text";
import { number } from "../text";
import type { Voi, Window } from "./grey";
import type { Series, Slice } from "./study";

export type WindowChoice =
  | { kind: "file"; index: number }
  | { kind: "table"; index: number }
  | { kind: "range" }
  | { kind: "preset"; name: Preset }
  | { kind: "own"; window: Window };

// Centre and width in Hounsfield units.
export const presets = {
  brain: [40, 80],
  stroke: [40, 40],
  lung: [-600, 1500],
  mediastinum: [50, 350],
  abdomen: [40, 400],
  liver: [60, 160],
  bone: [400, 1800],
} as const;
export type Preset = keyof typeof presets;

const linear = (center: number, width: number): Voi => ({ kind: "window", window: { center, width, function: "linear" } });

/** What galen shows first; a series without a window gets one range, so that its slices compare. */
export function firstChoice(series: Series): WindowChoice {
  const slice = series.slices[0]!;
  if (series.window) return { kind: "own", window: series.window };
  if (slice.kind === "volume" && slice.unit === "HU") return { kind: "preset", name: "abdomen" };
  return slice.tables.length ? { kind: "table", index: 0 } : slice.windows.length ? { kind: "file", index: 0 } : { kind: "range" };
}

export function voiOf(choice: WindowChoice, slice: Slice, series: Series): Voi {
  if (choice.kind === "own") return { kind: "window", window: choice.window };
  if (choice.kind === "preset") return linear(presets[choice.name][0], presets[choice.name][1]);
  if (choice.kind === "file" && slice.windows[choice.index]) return { kind: "window", window: slice.windows[choice.index]! };
  if (choice.kind === "table" && slice.tables[choice.index]) return { kind: "table", table: slice.tables[choice.index]! };
  return { kind: "range", low: series.range[0], high: series.range[1] };
}

const SAMPLES = 1 << 16;
const LEFT_OUT = 0.005; // of the values, at either end

/** Where a volume names no window: all values but the few outermost, which a bright vessel or a bad voxel would else decide. */
export function mostValues(slices: Slice[]): Window {
  const values: number[] = [];
  const total = slices.reduce((sum, s) => sum + s.values.length, 0);
  const step = Math.max(1, Math.floor(total / SAMPLES));
  for (const s of slices) for (let i = 0; i < s.values.length; i += step) values.push(s.values[i]! * s.slope + s.intercept);
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  const [low, high] = [at(LEFT_OUT), at(1 - LEFT_OUT)];
  return { center: (low + high) / 2, width: high > low ? high - low : 1, function: "linear_exact" };
}

/** The window of what is shown, to go on from; of a table, that of its inputs. */
export function windowOf(voi: Voi): Window {
  if (voi.kind === "window") return voi.window;
  const [low, high] = voi.kind === "range" ? [voi.low, voi.high] : [voi.table.first, voi.table.first + voi.table.entries.length - 1];
  const width = high > low ? high - low : 1;
  return { center: low + width / 2, width, function: "linear_exact" };
}

/** What the server takes, too. */
export const leastWidth = (window: Window): number => (window.function === "linear" ? 1 : 1e-6);

/** The same greys by another formula (PS3.3 C.11.2.1.2 and C.11.2.1.3.2). */
export function asLinear({ center, width, function: by }: Window): Window {
  return by === "linear_exact" ? { center: center + 0.5, width: width + 1, function: "linear" } : { center, width, function: by };
}
export function asExact(window: Window): Window {
  if (window.function !== "linear") return window;
  const exact: Window = { center: window.center - 0.5, width: window.width - 1, function: "linear_exact" };
  return { ...exact, width: Math.max(leastWidth(exact), exact.width) };
}

export interface WindowOption {
  id: string;
  label: string;
  choice: WindowChoice;
}

export function windowOptions(slice: Slice): WindowOption[] {
  const options: WindowOption[] = [];
  slice.tables.forEach((_, index) => options.push({ id: `table${index}`, label: t("img.window.table", { n: index + 1 }), choice: { kind: "table", index } }));
  slice.windows.forEach((w, index) =>
    options.push({ id: `file${index}`, label: t("img.window.file", { center: number(w.center), width: number(w.width) }), choice: { kind: "file", index } }),
  );
  options.push({ id: "range", label: t("img.window.range"), choice: { kind: "range" } });
  if (slice.unit !== "HU") return options;
  for (const [name, [center, width]] of Object.entries(presets)) {
    const label = `${t(`img.window.${name}` as TextKey)} (${center} / ${width})`;
    options.push({ id: name, label, choice: { kind: "preset", name: name as Preset } });
  }
  return options;
}

export const optionId = (choice: WindowChoice): string =>
  choice.kind === "preset" ? choice.name : choice.kind === "own" || choice.kind === "range" ? choice.kind : `${choice.kind}${choice.index}`;
