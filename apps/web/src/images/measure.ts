// Lengths and angles between points of a slice, in millimetres where the file says how far apart its pixels are.
import { number, t } from "../text";
import type { Slice } from "./study";
import type { Point } from "./viewport";

export type MeasureKind = "length" | "angle";

export interface Measurement {
  id: number;
  kind: MeasureKind;
  points: Point[];
  series: number;
  slice: number;
}

export const pointsOf = { length: 2, angle: 3 } as const;

function between(slice: Slice, [ax, ay]: Point, [bx, by]: Point): Point {
  const [down, across] = slice.spacing ?? [1, 1];
  return [(bx - ax) * across, (by - ay) * down];
}

export const lengthOf = (slice: Slice, a: Point, b: Point): number => Math.hypot(...between(slice, a, b));

/** Degrees at the second point. */
export function angleOf(slice: Slice, [a, b, c]: Point[]): number {
  const [px, py] = between(slice, b!, a!);
  const [qx, qy] = between(slice, b!, c!);
  return (Math.atan2(Math.abs(px * qy - py * qx), px * qx + py * qy) * 180) / Math.PI;
}

/** What the number means: where the distances of pixels come from. */
export function basisOf(slice: Slice): string {
  if (!slice.spacing) return t("img.basis.none");
  if (slice.spacingSource === "ImagerPixelSpacing") return t("img.basis.detector");
  if (slice.spacingSource === "NominalScannedPixelSpacing") return t("img.basis.film");
  if (slice.spacingSource === "objective") return t("img.basis.objective");
  return "";
}

/** Millimetres, or micrometres where those would be less than one. */
export function slideLength(slice: Slice, mm: number): string {
  const length = mm < 1 ? t("img.um", { n: number(mm * 1000) }) : t("img.mm", { n: mm.toFixed(2) });
  return withBasis(slice, length);
}

function withBasis(slice: Slice, length: string): string {
  const basis = basisOf(slice);
  return basis ? `${length} ${basis}` : length;
}

export function valueText(slice: Slice, { kind, points }: Pick<Measurement, "kind" | "points">): string {
  if (kind === "angle") return t("img.degrees", { n: angleOf(slice, points).toFixed(1) });
  const length = lengthOf(slice, points[0]!, points[1]!);
  if (!slice.spacing) return t("img.pixels", { n: number(length) });
  if (slice.kind === "slide") return slideLength(slice, length);
  return withBasis(slice, t("img.mm", { n: length.toFixed(1) }));
}
