// The picture: drawn, moved, windowed and measured by pointer, wheel, touch and keys.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { t } from "../text";
import { Painter, type Window } from "./grey";
import { pointsOf, valueText, type MeasureKind, type Measurement } from "./measure";
import { Overlay } from "./overlay";
import { seriesOf, sliceOf, type Pane } from "./pane_state";
import { panBy, place, toPicture, wholePicture, zoomAt, type Point, type Size } from "./viewport";
import { leastWidth, voiOf, windowOf } from "./windows";

export type Tool = "window" | "pan" | MeasureKind;

interface Props {
  pane: Pane;
  tool: Tool;
  label: string;
  onChange: (change: Partial<Pane>) => void;
  onSlice: (slice: number) => void;
  onProbe: (point: Point | null) => void;
}

const ZOOM_STEP = 1.25;
const NOTCH = 80; // of a wheel; less is a trackpad
const TRACKPAD_STEP = 30;
const CLICK = 4; // farther is a drag
const PAN_STEP = 40;
const WINDOW_STEPS = 400; // of a drag for the width that is there
const FINE = 20; // narrower windows move by hundredths, or finer still
const SHARP = 4; // from this size on, pixels are squares
const PAGE = 10;

let nextId = 1;

interface Drag {
  kind: "window" | "pan" | "measure";
  at: Point;
  from: Point;
  window: Window;
}

export function Stage({ pane, tool, label, onChange, onSlice, onProbe }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef<Painter>();
  const drag = useRef<Drag | null>(null);
  const fingers = useRef(new Map<number, Point>());
  const wheel = useRef(0);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  const [draft, setDraft] = useState<Point[]>([]);
  const [hover, setHover] = useState<Point | null>(null);
  const [cross, setCross] = useState<Point | null>(null);
  painter.current ??= new Painter();

  const series = seriesOf(pane);
  const slice = sliceOf(pane);
  const voi = voiOf(pane.choice, slice, series);
  const placement = place(pane.view, slice, size);
  const measuring = tool === "length" || tool === "angle" ? tool : null;

  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => setSize({ width: host.current!.clientWidth, height: host.current!.clientHeight }));
    watch.observe(host.current!);
    return () => watch.disconnect();
  }, []);
  const [, setDrawn] = useState(0);
  useLayoutEffect(() => slice.tiles?.watch(() => setDrawn((n) => n + 1)), [slice.tiles]);
  // What was begun with another tool or on another slice is not a measurement of this one.
  useLayoutEffect(() => {
    setDraft([]);
    setCross(null);
  }, [tool, slice]);
  useLayoutEffect(() => {
    const target = canvas.current!;
    const dense = devicePixelRatio || 1;
    const [width, height] = [Math.round(size.width * dense), Math.round(size.height * dense)];
    if (!width || !height) return;
    if (target.width !== width || target.height !== height) [target.width, target.height] = [width, height];
    const context = target.getContext("2d")!;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (slice.tiles) return slice.tiles.draw(context, placement, size, dense);
    const { scale, scaleDown, left, top } = placement;
    context.imageSmoothingEnabled = scale * dense < SHARP;
    context.imageSmoothingQuality = scale * dense < 0.5 ? "medium" : "low";
    context.setTransform(dense * scale, 0, 0, dense * scaleDown, dense * left, dense * top);
    context.drawImage(painter.current!.paint(slice, voi, pane.invert), 0, 0);
  });

  const place_ = (e: MouseEvent): Point => {
    const box = host.current!.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  };
  const point = (at: Point): Point => toPicture(placement, ...at);
  const zoom = (factor: number, at: Point = [size.width / 2, size.height / 2]) => onChange({ view: zoomAt(pane.view, slice, size, factor, at) });
  const probe = (p: Point | null) => onProbe(p && p[0] >= 0 && p[1] >= 0 && p[0] < slice.columns && p[1] < slice.rows ? p : null);

  function addPoint(p: Point) {
    const points = [...draft, p];
    if (points.length < pointsOf[measuring!]) {
      setDraft(points);
      announce(t("img.point", { k: points.length, n: pointsOf[measuring!] }));
      return;
    }
    const made: Measurement = { id: nextId++, kind: measuring!, points, series: pane.series, slice: pane.slice };
    setDraft([]);
    onChange({ measurements: [...pane.measurements, made] });
    announce(valueText(slice, made));
  }

  function down(e: PointerEvent) {
    host.current!.setPointerCapture(e.pointerId);
    const at = place_(e);
    fingers.current.set(e.pointerId, at);
    if (fingers.current.size > 1) {
      drag.current = null;
      setDraft([]);
      return;
    }
    const pans = e.button !== 0 || e.shiftKey || tool === "pan" || (tool === "window" && slice.tiles !== undefined);
    drag.current = { kind: pans ? "pan" : measuring ? "measure" : "window", at, from: at, window: windowOf(voi) };
    if (drag.current.kind === "measure") addPoint(point(at));
  }

  function setWindow({ window, from }: Drag, at: Point) {
    const step = window.width / WINDOW_STEPS;
    const digits = window.width < FINE ? 100 * 10 ** Math.round(Math.log10(FINE / window.width)) : 1;
    const rounded = (x: number) => Math.round(x * digits) / digits;
    // Never to nothing, from where no drag leads back.
    const width = Math.max(leastWidth(window), Math.min(1, step), rounded(window.width + (at[0] - from[0]) * step));
    const center = rounded(window.center + (at[1] - from[1]) * step);
    onChange({ choice: { kind: "own", window: { ...window, center, width } } });
  }

  function pinch(e: PointerEvent, at: Point) {
    const before = [...fingers.current.values()];
    fingers.current.set(e.pointerId, at);
    const after = [...fingers.current.values()];
    const apart = (p: Point[]) => Math.hypot(p[0]![0] - p[1]![0], p[0]![1] - p[1]![1]) || 1;
    const middle = (p: Point[]): Point => [(p[0]![0] + p[1]![0]) / 2, (p[0]![1] + p[1]![1]) / 2];
    const [a, b] = [middle(before), middle(after)];
    const zoomed = zoomAt(pane.view, slice, size, apart(after) / apart(before), a);
    onChange({ view: panBy(zoomed, slice, size, b[0] - a[0], b[1] - a[1]) });
  }

  function move(e: PointerEvent) {
    const at = place_(e);
    if (fingers.current.size > 1 && fingers.current.has(e.pointerId)) return pinch(e, at);
    probe(point(at));
    if (measuring) setHover(point(at));
    const from = drag.current;
    if (!from) return;
    if (from.kind === "window") setWindow(from, at);
    if (from.kind === "pan") onChange({ view: panBy(pane.view, slice, size, at[0] - from.at[0], at[1] - from.at[1]) });
    from.at = at;
  }

  function up(e: PointerEvent) {
    fingers.current.delete(e.pointerId);
    const from = drag.current;
    drag.current = null;
    if (from?.kind !== "measure" || !measuring || !draft.length) return;
    const at = place_(e);
    // Drawn in one movement, the end is where it ended; else the next click is.
    if (Math.hypot(at[0] - from.from[0], at[1] - from.from[1]) > CLICK) addPoint(point(at));
  }

  function turn(e: WheelEvent) {
    e.preventDefault();
    if (e.ctrlKey || series.slices.length === 1) return zoom(e.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, place_(e));
    if (e.deltaMode !== 0 || Math.abs(e.deltaY) >= NOTCH) return onSlice(pane.slice + Math.sign(e.deltaY));
    wheel.current += e.deltaY;
    const steps = Math.trunc(wheel.current / TRACKPAD_STEP);
    wheel.current -= steps * TRACKPAD_STEP;
    if (steps) onSlice(pane.slice + steps);
  }

  function key(e: KeyboardEvent) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const arrows: Record<string, Point> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[e.key];
    const last = series.slices.length - 1;
    if (arrow && measuring) {
      const far = e.shiftKey ? PAGE : 1;
      const [x, y] = cross ?? [Math.floor(slice.columns / 2) + 0.5, Math.floor(slice.rows / 2) + 0.5];
      const next: Point = cross ? [x + arrow[0] * far, y + arrow[1] * far] : [x, y];
      setCross(next);
      setHover(next);
      probe(next);
    } else if (arrow && e.shiftKey) onChange({ view: panBy(pane.view, slice, size, -arrow[0] * PAN_STEP, -arrow[1] * PAN_STEP) });
    else if (e.key === "ArrowUp" || e.key === "ArrowLeft") onSlice(pane.slice - 1);
    else if (e.key === "ArrowDown" || e.key === "ArrowRight") onSlice(pane.slice + 1);
    else if (e.key === "PageUp") onSlice(pane.slice - PAGE);
    else if (e.key === "PageDown") onSlice(pane.slice + PAGE);
    else if (e.key === "Home") onSlice(0);
    else if (e.key === "End") onSlice(last);
    else if (e.key === "+" || e.key === "=") zoom(ZOOM_STEP);
    else if (e.key === "-") zoom(1 / ZOOM_STEP);
    else if (e.key === "0") onChange({ view: wholePicture });
    else if (e.key === "1") onChange({ view: { zoom: 1 / (devicePixelRatio || 1), centre: null } });
    else if (e.key === "i" && !slice.tiles) onChange({ invert: !pane.invert });
    else if (e.key === "Enter" && measuring && cross) addPoint(cross);
    else if (e.key === "Escape" && (draft.length || cross)) {
      setDraft([]);
      setCross(null);
    } else return;
    e.preventDefault();
  }

  const here = <T extends { series: number; slice: number }>(x: T) => x.series === pane.series && x.slice === pane.slice;
  const growing = measuring && draft.length ? { kind: measuring, points: hover ? [...draft, hover] : draft } : null;
  return (
    <div
      class={`stage ${tool === "window" && slice.tiles ? "pan" : tool}`}
      ref={host}
      tabIndex={0}
      role="application"
      aria-label={label}
      aria-describedby="img-keys"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={(e) => (fingers.current.delete(e.pointerId), (drag.current = null))}
      onPointerLeave={() => (probe(null), setHover(null))}
      onWheel={turn}
      onKeyDown={key}
      onContextMenu={(e) => e.preventDefault()}
    >
      <canvas ref={canvas} aria-hidden="true" />
      <Overlay
        slice={slice}
        size={size}
        edges={series.edges}
        placement={placement}
        measurements={pane.measurements.filter(here)}
        draft={growing}
        cross={measuring ? cross : null}
        boxes={pane.boxes && here(pane.boxes) ? pane.boxes.boxes : []}
      />
    </div>
  );
}
