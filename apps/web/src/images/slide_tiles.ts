// A whole slide on the server (/slides), drawn from its overview and the tiles that are looked at (docs/API.md).
import { ApiError, call } from "../api";
import { t } from "../text";
import type { Placement, Size } from "./viewport";

export interface SlideJson {
  id: string;
  format: string;
  width: number;
  height: number;
  um_per_pixel: number | null;
  um_source: "file" | "objective" | null;
  objective_power: number | null;
  tile: number;
  zooms: number[];
  warnings: string[];
}

const AT_ONCE = 4; // requests
const MOST_KEPT = 320; // tiles: 80 MB
const MOST_SEEN = 96; // tiles of a picture; where a slide has no coarser ones, the overview has to do
const SHARPER = 1.3; // a tile is enlarged by no more than this before the next finer one is asked for
const AGAIN_MS = 1500;
const TRIES = 3;

interface Wanted {
  key: string;
  zoom: number;
  column: number;
  row: number;
}

export async function sendSlide(files: File[], signal?: AbortSignal): Promise<SlideJson> {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  return (await call("/slides", { method: "POST", body: form, ...(signal ? { signal } : {}) })).json() as Promise<SlideJson>;
}

// It goes by itself, too.
function letGo(id: string): void {
  void call(`/slides/${id}`, { method: "DELETE" }).catch(() => {});
}

export class SlideTiles {
  private readonly kept = new Map<string, ImageBitmap>(); // the one that was drawn longest ago comes first
  private readonly asked = new Map<string, AbortController>();
  private readonly tries = new Map<string, number>();
  private queue: Wanted[] = [];
  private overview: ImageBitmap | null = null;
  private watchers = new Set<() => void>();
  private again: Promise<boolean> | null = null;
  private served = ""; // the name of the slide under which a part of it came
  private closed = false;
  /** Why a part is not shown; empty: all is well. */
  fault = "";

  constructor(
    private info: SlideJson,
    readonly files: File[],
  ) {
    void this.loadOverview();
  }

  /** Called when there is more to draw. */
  watch(onChange: () => void): () => void {
    this.watchers.add(onChange);
    return () => this.watchers.delete(onChange);
  }

  close(): void {
    this.closed = true;
    this.queue = [];
    this.asked.forEach((control) => control.abort());
    this.kept.forEach((bitmap) => bitmap.close());
    this.kept.clear();
    this.overview?.close();
    this.overview = null;
    this.watchers.clear();
    letGo(this.info.id);
  }

  /** Whether everything that `draw` wanted is there. */
  get complete(): boolean {
    return !this.queue.length && !this.asked.size;
  }

  draw(context: CanvasRenderingContext2D, place: Placement, stage: Size, dense: number): void {
    if (this.closed) return;
    const { width, height } = this.info;
    const scale = place.scale * dense; // pixels of the screen for one of the slide
    const [left, top] = [place.left * dense, place.top * dense];
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.imageSmoothingQuality = "medium";
    context.fillStyle = "#fff";
    context.fillRect(left, top, width * scale, height * scale);
    if (this.overview) context.drawImage(this.overview, left, top, width * scale, height * scale);
    const at = this.zoomFor(scale, left, top, stage, dense);
    // Coarser tiles that are there already stand in for those that are not yet.
    const shown = [...this.kept.keys()].filter((key) => Number(key.split("/")[0]) > (at ?? -1)).sort((a, b) => Number(b.split("/")[0]) - Number(a.split("/")[0]));
    for (const key of shown) this.drawTile(context, key, scale, left, top, stage, dense);
    const wanted = at === null ? [] : this.visible(at, scale, left, top, stage, dense);
    for (const { key } of wanted) this.drawTile(context, key, scale, left, top, stage, dense);
    this.want(wanted);
  }

  // The coarsest zoom that is sharp enough, or a coarser one where that would be too many tiles; null: none.
  private zoomFor(scale: number, left: number, top: number, stage: Size, dense: number): number | null {
    const sharp = this.info.zooms.filter((z) => 2 ** z * scale <= SHARPER);
    const from = sharp.length ? sharp[sharp.length - 1]! : this.info.zooms[0]!;
    return this.info.zooms.find((z) => z >= from && this.visible(z, scale, left, top, stage, dense).length <= MOST_SEEN) ?? null;
  }

  private visible(zoom: number, scale: number, left: number, top: number, stage: Size, dense: number): Wanted[] {
    const side = this.info.tile * 2 ** zoom * scale;
    const last = (length: number) => Math.ceil(length / (this.info.tile * 2 ** zoom)) - 1;
    const [c0, r0] = [Math.max(0, Math.floor(-left / side)), Math.max(0, Math.floor(-top / side))];
    const c1 = Math.min(last(this.info.width), Math.floor((stage.width * dense - left) / side));
    const r1 = Math.min(last(this.info.height), Math.floor((stage.height * dense - top) / side));
    const tiles: Wanted[] = [];
    if ((c1 - c0 + 1) * (r1 - r0 + 1) > 4 * MOST_SEEN) return Array<Wanted>(MOST_SEEN + 1); // only counted
    for (let row = r0; row <= r1; ++row) for (let column = c0; column <= c1; ++column) tiles.push({ key: `${zoom}/${column}/${row}`, zoom, column, row });
    const middle = [(c0 + c1) / 2, (r0 + r1) / 2];
    return tiles.sort((a, b) => Math.hypot(a.column - middle[0]!, a.row - middle[1]!) - Math.hypot(b.column - middle[0]!, b.row - middle[1]!));
  }

  private drawTile(context: CanvasRenderingContext2D, key: string, scale: number, left: number, top: number, stage: Size, dense: number): void {
    const bitmap = this.kept.get(key);
    if (!bitmap) return;
    const [zoom, column, row] = key.split("/").map(Number) as [number, number, number];
    const unit = 2 ** zoom * scale;
    const [x, y] = [column * this.info.tile, row * this.info.tile];
    // At whole pixels of the screen, so that no seam is seen between tiles.
    const [x0, y0] = [Math.round(left + x * unit), Math.round(top + y * unit)];
    const [x1, y1] = [Math.round(left + (x + bitmap.width) * unit), Math.round(top + (y + bitmap.height) * unit)];
    if (x1 <= 0 || y1 <= 0 || x0 >= stage.width * dense || y0 >= stage.height * dense) return;
    context.imageSmoothingEnabled = unit < 4;
    context.drawImage(bitmap, x0, y0, x1 - x0, y1 - y0);
    this.kept.delete(key);
    this.kept.set(key, bitmap);
  }

  private want(wanted: Wanted[]): void {
    const keys = new Set(wanted.map((w) => w.key));
    // What is no longer looked at is not waited for.
    this.asked.forEach((control, key) => {
      if (keys.has(key)) return;
      this.asked.delete(key);
      control.abort();
    });
    this.queue = wanted.filter(({ key }) => !this.kept.has(key) && !this.asked.has(key) && (this.tries.get(key) ?? 0) < TRIES);
    this.next();
  }

  private next(): void {
    while (this.asked.size < AT_ONCE && this.queue.length) void this.load(this.queue.shift()!);
  }

  private changed(): void {
    this.watchers.forEach((watcher) => watcher());
  }

  private async picture(part: string, signal?: AbortSignal): Promise<ImageBitmap> {
    const id = this.info.id;
    const response = await call(`/slides/${id}/${part}`, signal ? { signal } : {});
    this.served = id;
    return createImageBitmap(await response.blob());
  }

  private async loadOverview(): Promise<void> {
    try {
      const bitmap = await this.picture("overview");
      if (this.closed) return bitmap.close();
      this.overview = bitmap;
      this.changed();
    } catch {
      // Tiles show the slide without it, if less of it at a time.
    }
  }

  private async load({ key, zoom, column, row }: Wanted): Promise<void> {
    const control = new AbortController();
    this.asked.set(key, control);
    const id = this.info.id;
    try {
      const bitmap = await this.picture(`tiles/${zoom}/${column}/${row}`, control.signal);
      if (this.closed || control.signal.aborted) return bitmap.close();
      this.kept.set(key, bitmap);
      while (this.kept.size > MOST_KEPT) {
        const [oldest, old] = this.kept.entries().next().value!;
        this.kept.delete(oldest);
        old.close();
      }
      this.fault = "";
    } catch (error) {
      if (this.closed || control.signal.aborted) return;
      const gone = error instanceof ApiError && error.status === 404;
      const known = this.served === id || id !== this.info.id;
      // The server lets go of what is not looked at; the files are still here. That is no fault of the tile, unless the slide never gave one.
      const back = gone && (await this.sendAgain(id));
      if (!back || !known) this.tries.set(key, (this.tries.get(key) ?? 0) + 1);
      if (!gone) {
        this.fault = t("img.slide_part");
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    if (this.asked.get(key) === control) this.asked.delete(key);
    if (this.closed) return;
    this.changed(); // draws, and asks for what is missing
    this.next();
  }

  /** Whether the server has it again. */
  private sendAgain(id: string): Promise<boolean> {
    if (id !== this.info.id) return Promise.resolve(true); // somebody has
    this.again ??= sendSlide(this.files)
      .then((info) => {
        if (this.closed) letGo(info.id);
        else this.info = info;
        return true;
      })
      .catch(() => {
        this.fault = t("img.slide_part");
        return false;
      })
      .finally(() => (this.again = null));
    return this.again;
  }
}
