// From values to grey, by the arithmetic of galen's own pictures (PS3.3 C.11.2), so that a picture here has the bytes of one there.

export type Values = Uint8Array | Int8Array | Uint16Array | Int16Array | Float32Array;

export interface Window {
  center: number;
  width: number;
  function: "linear" | "linear_exact" | "sigmoid";
}

export interface Table {
  first: number;
  bits: number;
  entries: number[];
}

/** How a physical value becomes a share of white. */
export type Voi =
  | { kind: "window"; window: Window }
  | { kind: "table"; table: Table }
  | { kind: "range"; low: number; high: number };

export interface Raster {
  rows: number;
  columns: number;
  channels: number;
  values: Values;
  slope: number;
  intercept: number;
  inverted: boolean;
}

function shareOf(voi: Voi, x: number): number {
  if (voi.kind === "range") return voi.high > voi.low ? (x - voi.low) / (voi.high - voi.low) : 0;
  if (voi.kind === "table") {
    const { first, bits, entries } = voi.table;
    const at = x > first ? Math.min(Math.floor(x - first), entries.length - 1) : 0;
    return entries[at]! / (2 ** bits - 1);
  }
  const { center, width } = voi.window;
  if (voi.window.function === "sigmoid") return 1 / (1 + Math.exp((-4 * (x - center)) / width));
  const exact = voi.window.function === "linear_exact";
  const c = exact ? center : center - 0.5;
  const w = exact ? width : width - 1;
  if (x <= c - w / 2) return 0;
  if (x > c + w / 2) return 1;
  return (x - c) / w + 0.5;
}

export function greyOf(voi: Voi, x: number, inverted: boolean): number {
  const byte = Math.floor(Math.min(1, Math.max(0, shareOf(voi, x))) * 255 + 0.5);
  return inverted ? 255 - byte : byte;
}

// One entry for each bit pattern that a sample can have; floats have none.
function tableOf(raster: Raster, voi: Voi, inverted: boolean): Uint8Array | null {
  const { values, slope, intercept } = raster;
  if (values instanceof Float32Array) return null;
  const size = values.BYTES_PER_ELEMENT === 1 ? 256 : 65536;
  const signed = values instanceof Int8Array || values instanceof Int16Array;
  const table = new Uint8Array(size);
  for (let i = 0; i < size; ++i) {
    const stored = signed && i >= size / 2 ? i - size : i;
    table[i] = greyOf(voi, stored * slope + intercept, inverted);
  }
  return table;
}

const patterns = (values: Values): Uint8Array | Uint16Array =>
  values.BYTES_PER_ELEMENT === 1
    ? new Uint8Array(values.buffer, values.byteOffset, values.length)
    : new Uint16Array(values.buffer, values.byteOffset, values.length);

const ids = new WeakMap<object, number>();
let lastId = 0;
function idOf(object: object): number {
  if (!ids.has(object)) ids.set(object, ++lastId);
  return ids.get(object)!;
}

/** Draws rasters into a canvas of their own size; what did not change is not computed again. */
export class Painter {
  readonly canvas = document.createElement("canvas");
  private image: ImageData | null = null;
  private words = new Uint32Array(0);
  private drawn = "";
  private of: Raster | null = null;
  private tableKey = "";
  private table: Uint8Array | null = null;

  paint(raster: Raster, voi: Voi, invert: boolean): HTMLCanvasElement {
    const inverted = raster.inverted !== invert;
    const look = JSON.stringify([voi.kind === "table" ? idOf(voi.table) : voi, inverted]);
    if (this.of === raster && this.drawn === look) return this.canvas;
    this.of = raster;
    this.drawn = look;
    const { rows, columns } = raster;
    const context = this.canvas.getContext("2d")!;
    if (!this.image || this.image.width !== columns || this.image.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.image = context.createImageData(columns, rows);
      this.words = new Uint32Array(this.image.data.buffer);
    }
    const key = `${look} ${raster.values.constructor.name} ${raster.slope} ${raster.intercept}`;
    if (key !== this.tableKey) {
      this.table = tableOf(raster, voi, inverted);
      this.tableKey = key;
    }
    if (raster.channels === 3) this.fillColour(raster);
    else this.fillGrey(raster, voi, inverted);
    context.putImageData(this.image, 0, 0);
    return this.canvas;
  }

  private fillGrey(raster: Raster, voi: Voi, inverted: boolean): void {
    const { words, table } = this;
    if (!table) {
      raster.values.forEach((x, i) => (words[i] = 0xff000000 | (greyOf(voi, x * raster.slope + raster.intercept, inverted) * 0x010101)));
      return;
    }
    const grey = new Uint32Array(table.length);
    for (let i = 0; i < table.length; ++i) grey[i] = 0xff000000 | (table[i]! * 0x010101);
    const samples = patterns(raster.values);
    for (let i = 0; i < samples.length; ++i) words[i] = grey[samples[i]!]!;
  }

  // The window is then one of brightness and contrast.
  private fillColour(raster: Raster): void {
    const table = this.table!;
    const { data } = this.image!;
    const { values } = raster;
    for (let from = 0, to = 0; from < values.length; to += 4) {
      data[to] = table[values[from++]!]!;
      data[to + 1] = table[values[from++]!]!;
      data[to + 2] = table[values[from++]!]!;
      data[to + 3] = 255;
    }
  }
}
