// Where the picture lies on the stage. Points of the picture are in pixels from its top left corner; a pixel's middle is at .5.
import type { Slice } from "./study";

export type Point = [number, number];

export interface Viewport {
  /** Units of the stage for one column of the picture; null: the whole picture fits. */
  zoom: number | null;
  /** Point of the picture in the middle of the stage; null: its middle. */
  centre: Point | null;
}

export const wholePicture: Viewport = { zoom: null, centre: null };

export interface Placement {
  scale: number; // across
  scaleDown: number; // rows may be further apart than columns
  left: number;
  top: number;
}

export interface Size {
  width: number;
  height: number;
}

const LEAST = 0.02;
const MOST = 64;

const aspectOf = (slice: Slice): number => (slice.spacing ? slice.spacing[0] / slice.spacing[1] : 1);

export function fitZoom(slice: Slice, stage: Size): number {
  return Math.min(stage.width / slice.columns, stage.height / (slice.rows * aspectOf(slice))) || 1;
}

export function place(view: Viewport, slice: Slice, stage: Size): Placement {
  const scale = view.zoom ?? fitZoom(slice, stage);
  const scaleDown = scale * aspectOf(slice);
  const [x, y] = view.centre ?? [slice.columns / 2, slice.rows / 2];
  let left = stage.width / 2 - x * scale;
  let top = stage.height / 2 - y * scaleDown;
  // At whole pixels nothing is blurred by a fraction of one.
  if (Number.isInteger(scale)) [left, top] = [Math.round(left), Math.round(top)];
  return { scale, scaleDown, left, top };
}

export const toPicture = (p: Placement, x: number, y: number): Point => [(x - p.left) / p.scale, (y - p.top) / p.scaleDown];
export const toStage = (p: Placement, [x, y]: Point): Point => [x * p.scale + p.left, y * p.scaleDown + p.top];

/** Zoomed by `factor` so that the point of the stage stays where it is. */
export function zoomAt(view: Viewport, slice: Slice, stage: Size, factor: number, at: Point): Viewport {
  const before = place(view, slice, stage);
  const least = Math.min(LEAST, fitZoom(slice, stage) / 2); // whole slides are large
  const zoom = Math.min(MOST, Math.max(least, before.scale * factor));
  const [x, y] = toPicture(before, ...at);
  const down = zoom * (before.scaleDown / before.scale);
  return { zoom, centre: [x - (at[0] - stage.width / 2) / zoom, y - (at[1] - stage.height / 2) / down] };
}

export function panBy(view: Viewport, slice: Slice, stage: Size, dx: number, dy: number): Viewport {
  const { scale, scaleDown } = place(view, slice, stage);
  const [x, y] = view.centre ?? [slice.columns / 2, slice.rows / 2];
  return { zoom: view.zoom, centre: [x - dx / scale, y - dy / scaleDown] };
}
