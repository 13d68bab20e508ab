// The planes in which a stack of even slices can be looked at: the one that it was cut in, and the two others, cut anew
// from the values in this tab. Nothing is interpolated: what is shown are the voxels.
import { t } from "../text";
import type { Values } from "./grey";
import type { Series, Slice } from "./study";

export type Plane = "axial" | "coronal" | "sagittal";
type Vector = [number, number, number];
type Values3 = [number, number, number];

/** What stands at the left, upper, right and lower edge: R, L, A, P, S or I; empty where it is not known. */
export type Edges = [string, string, string, string];
export const noEdges: Edges = ["", "", "", ""];

/** Columns, rows and slices of a stack: along which axis of the patient each runs (0 to the left, 1 to the back, 2 to the head), and whether with it or against it. */
interface Directions {
  axis: Values3;
  sign: Values3;
}

interface View {
  across: [axis: number, sign: number];
  down: [axis: number, sign: number];
  through: [axis: number, sign: number];
}

// As radiologists look, and in the order in which galen's recipes give volumes to a model: from head to foot, front to back, right to left.
const views: Record<Plane, View> = {
  axial: { across: [0, 1], down: [1, 1], through: [2, -1] },
  coronal: { across: [0, 1], down: [2, -1], through: [1, 1] },
  sagittal: { across: [1, 1], down: [2, -1], through: [0, 1] },
};
const planeOfAxis: Plane[] = ["sagittal", "coronal", "axial"];
const letters = [["R", "L"], ["A", "P"], ["I", "S"]] as const;

const CLEAR = 0.9; // cosine: a stack that is turned further (26 degrees) is oblique
const STRAIGHT = 0.999;
const EVEN = 0.01; // share of a step, and millimetres
const LEAST_SLICES = 3;
const KEPT = 8; // cuts of a series that stay computed

const dot = (a: number[], b: number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const minus = (a: number[], b: number[]): number[] => a.map((x, i) => x - b[i]!);
const cross = (a: number[], b: number[]): Vector => [a[1]! * b[2]! - a[2]! * b[1]!, a[2]! * b[0]! - a[0]! * b[2]!, a[0]! * b[1]! - a[1]! * b[0]!];

function nearest(direction: number[]): { axis: number; sign: number; cosine: number } {
  let axis = 0;
  direction.forEach((x, i) => {
    if (Math.abs(x) > Math.abs(direction[axis]!)) axis = i;
  });
  return { axis, sign: Math.sign(direction[axis]!), cosine: Math.abs(direction[axis]!) };
}

const letterOf = (axis: number, sign: number): string => letters[axis]![sign > 0 ? 1 : 0];

/** Of a picture whose columns and rows run along these directions (PS3.3 C.7.6.2.1.1). */
export function edgesOf(orientation: number[]): Edges {
  const [row, column] = [nearest(orientation.slice(0, 3)), nearest(orientation.slice(3, 6))];
  if (row.cosine < CLEAR || column.cosine < CLEAR) return noEdges;
  return [letterOf(row.axis, -row.sign), letterOf(column.axis, -column.sign), letterOf(row.axis, row.sign), letterOf(column.axis, column.sign)];
}

const edgesOfView = ({ across, down }: View): Edges => [
  letterOf(across[0], -across[1]),
  letterOf(down[0], -down[1]),
  letterOf(across[0], across[1]),
  letterOf(down[0], down[1]),
];

/** Where each slice of a series lies, by its file. */
export interface SlicePlace {
  position: number[] | null;
  orientation: number[] | null;
}

interface Stack {
  directions: Directions;
  step: number; // millimetres between slices
  degrees: number; // off the patient's axes
}

/** Why a series of DICOM slices is no even stack, or the stack that it is. Null: nobody would look for other planes. */
function stackOf(series: Series, places: SlicePlace[]): Stack | string | null {
  const { slices } = series;
  const first = slices[0]!;
  if (slices.length < LEAST_SLICES || first.channels !== 1 || places.some((p) => !p.position || !p.orientation)) return null;
  const alike = (s: Slice) =>
    s.rows === first.rows && s.columns === first.columns && s.timePoint === first.timePoint && s.inverted === first.inverted &&
    s.spacing?.[0] === first.spacing?.[0] && s.spacing?.[1] === first.spacing?.[1];
  if (!slices.every(alike)) return t("img.no_planes.mixed");
  if (!first.spacing || first.spacingSource !== "PixelSpacing") return t("img.no_planes.spacing");
  const orientation = places[0]!.orientation!;
  const [row, column] = [orientation.slice(0, 3), orientation.slice(3, 6)];
  if (!places.every((p) => dot(p.orientation!.slice(0, 3), row) > STRAIGHT && dot(p.orientation!.slice(3, 6), column) > STRAIGHT)) return t("img.no_planes.mixed");
  const steps = places.slice(1).map((p, i) => minus(p.position!, places[i]!.position!));
  const mean = minus(places[places.length - 1]!.position!, places[0]!.position!).map((x) => x / steps.length);
  const step = Math.hypot(...mean);
  const off = EVEN * step + EVEN;
  if (!(step > EVEN) || !steps.every((s) => Math.hypot(...minus(s, mean)) <= off)) return t("img.no_planes.uneven");
  const normal = cross(row, column);
  const along = dot(mean, normal);
  if (Math.hypot(...minus(mean, normal.map((x) => x * along))) > off) return t("img.no_planes.tilted");
  const found = [nearest(row), nearest(column), nearest(normal.map((x) => x * Math.sign(along)))];
  const cosine = Math.min(...found.map((f) => f.cosine));
  if (cosine < CLEAR || new Set(found.map((f) => f.axis)).size < 3) return t("img.no_planes.oblique");
  const directions = { axis: found.map((f) => f.axis) as Values3, sign: found.map((f) => f.sign) as Values3 };
  return { directions, step, degrees: (Math.acos(Math.min(1, cosine)) * 180) / Math.PI };
}

const emptyLike = (values: Values, length: number): Values => new (values.constructor as new (n: number) => Values)(length);

/** One cut through a stack, row by row; `same`: its slices share type, slope and intercept. */
function cutValues(slices: Slice[], { axis, sign }: Directions, view: View, index: number, same: boolean): Values {
  const { columns, rows } = slices[0]!;
  const sizes = [columns, rows, slices.length];
  // How far one step in a direction of the view leads within a slice, and from slice to slice.
  const side = ([along, wanted]: [number, number]) => {
    const d = axis.indexOf(along);
    const forward = sign[d] === wanted;
    const step = forward ? 1 : -1;
    const [inside, between] = d === 0 ? [step, 0] : d === 1 ? [step * columns, 0] : [0, step];
    const last = forward ? 0 : sizes[d]! - 1;
    return { size: sizes[d]!, inside, between, start: Math.abs(inside) * last, first: Math.abs(between) * last };
  };
  const [across, down, through] = [side(view.across), side(view.down), side(view.through)];
  const start = across.start + down.start + through.start + index * through.inside;
  const first = across.first + down.first + through.first + index * through.between;
  const values = slices.map((s) => s.values);
  const length = across.size * down.size;
  const out = same ? emptyLike(values[0]!, length) : new Float32Array(length);
  for (let y = 0, to = 0; y < down.size; ++y) {
    let at = start + y * down.inside;
    let k = first + y * down.between;
    for (let x = 0; x < across.size; ++x, at += across.inside, k += across.between) {
      const value = values[k]![at]!;
      out[to++] = same ? value : value * slices[k]!.slope + slices[k]!.intercept;
    }
  }
  return out;
}

/** The stack in one of the planes that it was not cut in. Its values are computed when a slice is looked at. */
function cutSeries(series: Series, directions: Directions, step: number, plane: Plane): Series {
  const view = views[plane];
  const { slices } = series;
  const first = slices[0]!;
  const same = slices.every((s) => s.slope === first.slope && s.intercept === first.intercept && s.values.constructor === first.values.constructor);
  const sizes = [first.columns, first.rows, slices.length];
  const spacings = [first.spacing![1], first.spacing![0], step];
  const of = (numbers: number[], axis: number) => numbers[directions.axis.indexOf(axis)]!;
  const [columns, rows, count] = [of(sizes, view.across[0]), of(sizes, view.down[0]), of(sizes, view.through[0])];
  const spacing: [number, number] = [of(spacings, view.down[0]), of(spacings, view.across[0])];
  const kept = new Map<number, Values>();
  const valuesOf = (index: number): Values => {
    const known = kept.get(index);
    if (known) return known;
    const values = cutValues(slices, directions, view, index, same);
    if (kept.size >= KEPT) kept.delete(kept.keys().next().value!);
    kept.set(index, values);
    return values;
  };
  const normal = [0, 0, 0];
  normal[view.through[0]] = view.through[1];
  return {
    ...series,
    cut: true,
    plane,
    edges: edgesOfView(view),
    normal,
    slices: Array.from({ length: count }, (_, index) => ({
      ...first,
      kind: first.kind === "volume" ? ("volume" as const) : ("cut" as const),
      rows,
      columns,
      get values() {
        return valuesOf(index);
      },
      slope: same ? first.slope : 1,
      intercept: same ? first.intercept : 0,
      framesOfFile: Infinity,
      windows: series.slices[Math.floor((slices.length - 1) / 2)]!.windows,
      spacing,
      thickness: null,
      location: index * of(spacings, view.through[0]),
    })),
  };
}

function allPlanes(series: Series, directions: Directions, step: number): Series[] {
  const own = planeOfAxis[directions.axis[2]]!;
  const others = (Object.keys(views) as Plane[]).filter((plane) => plane !== own);
  return [{ ...series, plane: own }, ...others.map((plane) => cutSeries(series, directions, step, plane))];
}

/** A series of DICOM slices and, where its slices lie evenly, the other two planes; else with a note that says why not. */
export function planesOfSeries(series: Series, places: SlicePlace[]): Series[] {
  const orientation = places[0]?.orientation ?? null;
  const shown = { ...series, edges: orientation ? edgesOf(orientation) : noEdges };
  const stack = stackOf(shown, places);
  if (stack === null) return [shown];
  if (typeof stack === "string") return [{ ...shown, notes: [...shown.notes, stack] }];
  if (stack.degrees >= 1) shown.notes = [...shown.notes, t("img.planes_off", { n: Math.round(stack.degrees) })];
  return allPlanes(shown, stack.directions, stack.step);
}

/** Axial slices of a volume from head to foot, as /pixels gives them, and the other two planes. */
export function planesOfVolume(series: Series, step: number): Series[] {
  const shown = { ...series, edges: edgesOfView(views.axial), plane: "axial" as const, normal: [0, 0, -1] };
  return series.slices.length > 1 ? allPlanes(shown, { axis: [0, 1, 2], sign: [1, 1, -1] }, step) : [shown];
}
