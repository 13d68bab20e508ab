// What one of the places for a study shows, and how two of them move together.
import type { Measurement } from "./measure";
import type { Study, Series, Slice } from "./study";
import { wholePicture, type Viewport } from "./viewport";
import { firstChoice, type WindowChoice } from "./windows";

/** Of a model's answer, in pixels of the slice. */
export interface Box {
  label: string;
  box: [number, number, number, number];
}

export interface Pane {
  study: Study;
  series: number;
  slice: number;
  choice: WindowChoice;
  invert: boolean;
  view: Viewport;
  measurements: Measurement[];
  boxes: { series: number; slice: number; boxes: Box[] } | null;
}

export const seriesOf = (pane: Pane): Series => pane.study.series[pane.series]!;
export const sliceOf = (pane: Pane): Slice => seriesOf(pane).slices[pane.slice]!;

/** The series from its middle on, as a whole, in its first window. */
export function showSeries(index: number, study: Study): Pick<Pane, "series" | "slice" | "choice" | "invert" | "view"> {
  const series = study.series[index]!;
  const slice = Math.floor((series.slices.length - 1) / 2);
  return { series: index, slice, choice: firstChoice(series), invert: false, view: wholePicture };
}

/** The same stack in another plane, as it was looked at. */
export function showPlane(index: number, pane: Pane): Partial<Pane> {
  return { ...showSeries(index, pane.study), choice: pane.choice, invert: pane.invert };
}

export function openPane(study: Study): Pane {
  // The largest first, as it is what a study was made for; scouts are small.
  let largest = 0;
  study.series.forEach((s, i) => {
    if (!s.cut && s.slices.length > study.series[largest]!.slices.length) largest = i;
  });
  return { study, ...showSeries(largest, study), measurements: [], boxes: null };
}

export const clampSlice = (pane: Pane, slice: number): number => Math.min(seriesOf(pane).slices.length - 1, Math.max(0, slice));

const PARALLEL = 0.99;

function sameDirection(a: Series, b: Series): number {
  if (!a.normal || !b.normal) return 0;
  const cosine = a.normal.reduce((sum, x, i) => sum + x * b.normal![i]!, 0);
  return Math.abs(cosine) > PARALLEL ? Math.sign(cosine) : 0;
}

/** Where both stood when they were linked. */
export interface Anchor {
  slices: [number, number];
}

/** The slice of `other` beside slice `next` of `moved`: as many millimetres on where both are cut alike, else as many slices. */
export function linkedSlice(moved: Pane, other: Pane, next: number, from: number, fromOther: number): number {
  const a = seriesOf(moved);
  const b = seriesOf(other);
  const sign = sameDirection(a, b);
  const [start, now, start2] = [a.slices[from]?.location, a.slices[next]?.location, b.slices[fromOther]?.location];
  if (!sign || start == null || now == null || start2 == null) return clampSlice(other, fromOther + next - from);
  const wanted = start2 + sign * (now - start);
  const time = sliceOf(other).timePoint;
  let best = other.slice;
  let least = Infinity;
  b.slices.forEach((slice, i) => {
    const away = slice.location === null || slice.timePoint !== time ? Infinity : Math.abs(slice.location - wanted);
    if (away < least) [least, best] = [away, i];
  });
  return best;
}
