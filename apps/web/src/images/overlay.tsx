// Measurements and boxes over the picture. Lists beside it say the same in words, so this is for the eye only.
import { pointsOf, slideLength, valueText, type Measurement } from "./measure";
import type { Box } from "./pane_state";
import type { Edges } from "./planes";
import type { Slice } from "./study";
import { toStage, type Placement, type Point, type Size } from "./viewport";

interface Props {
  slice: Slice;
  size: Size;
  edges: Edges;
  placement: Placement;
  measurements: Measurement[];
  draft: Pick<Measurement, "kind" | "points"> | null;
  cross: Point | null;
  boxes: Box[];
}

const ARM = 9; // of the cross
const AWAY = 8; // of a label from its point
const EDGE = 14; // of a letter from the edge
const BAR = 160; // the longest scale bar

export function Overlay({ slice, size, edges, placement, measurements, draft, cross, boxes }: Props) {
  const at = (point: Point) => toStage(placement, point);
  return (
    <svg class="marks" aria-hidden="true">
      {edges[0] && <Letters edges={edges} size={size} />}
      {slice.kind === "slide" && slice.spacing && <ScaleBar slice={slice} mm={slice.spacing[1]} placement={placement} size={size} />}
      {boxes.map(({ label, box: [x0, y0, x1, y1] }, i) => {
        const [left, top] = at([x0, y0]);
        const [right, bottom] = at([x1, y1]);
        return (
          <g key={`box${i}`} class="found">
            <rect x={left} y={top} width={right - left} height={bottom - top} />
            <text x={left} y={top - AWAY / 2}>
              {label}
            </text>
          </g>
        );
      })}
      {measurements.map((m) => (
        <Line key={m.id} points={m.points} text={valueText(slice, m)} at={at} />
      ))}
      {draft && <Line points={draft.points} text={draft.points.length === pointsOf[draft.kind] ? valueText(slice, draft) : ""} at={at} />}
      {cross && <Cross point={at(cross)} />}
    </svg>
  );
}

function Line({ points, text, at }: { points: Point[]; text: string; at: (point: Point) => Point }) {
  const placed = points.map(at);
  const path = placed.map((p) => p.join(",")).join(" ");
  const [x, y] = placed[placed.length - 1]!;
  return (
    <g class="measure">
      <polyline class="halo" points={path} />
      <polyline points={path} />
      {placed.map(([px, py], i) => (
        <circle key={i} cx={px} cy={py} r={3} />
      ))}
      <text x={x + AWAY} y={y - AWAY}>
        {text}
      </text>
    </g>
  );
}

function Letters({ edges, size: { width, height } }: { edges: Edges; size: Size }) {
  const places = [[EDGE, height / 2], [width / 2, EDGE + 6], [width - EDGE, height / 2], [width / 2, height - EDGE + 4]] as const;
  return (
    <g class="edges">
      {edges.map((letter, i) => (
        <text key={i} x={places[i]![0]} y={places[i]![1]}>
          {letter}
        </text>
      ))}
    </g>
  );
}

// The longest of 1, 2 or 5 times a power of ten that fits.
function ScaleBar({ slice, mm, placement, size }: { slice: Slice; mm: number; placement: Placement; size: Size }) {
  const most = (BAR / placement.scale) * mm;
  const power = 10 ** Math.floor(Math.log10(most));
  const length = [5, 2, 1].map((n) => n * power).find((x) => x <= most * (1 + 1e-9)) ?? power;
  const [x, y, width] = [AWAY * 2, size.height - AWAY * 2, (length / mm) * placement.scale];
  const path = `M${x} ${y - 6}v6h${width}v-6`;
  return (
    <g class="scale">
      <path class="halo" d={path} />
      <path d={path} />
      <text x={x + 4} y={y - AWAY}>
        {slideLength(slice, length)}
      </text>
    </g>
  );
}

function Cross({ point: [x, y] }: { point: Point }) {
  const path = `M${x - ARM} ${y}h${2 * ARM}M${x} ${y - ARM}v${2 * ARM}`;
  return (
    <g class="measure">
      <path class="halo" d={path} />
      <path d={path} />
    </g>
  );
}
