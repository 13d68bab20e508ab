// Measurements and boxes over the picture. Lists beside it say the same in words, so this is for the eye only.
import { pointsOf, valueText, type Measurement } from "./measure";
import type { Box } from "./pane_state";
import type { Slice } from "./study";
import { toStage, type Placement, type Point } from "./viewport";

interface Props {
  slice: Slice;
  placement: Placement;
  measurements: Measurement[];
  draft: Pick<Measurement, "kind" | "points"> | null;
  cross: Point | null;
  boxes: Box[];
}

const ARM = 9; // of the cross
const AWAY = 8; // of a label from its point

export function Overlay({ slice, placement, measurements, draft, cross, boxes }: Props) {
  const at = (point: Point) => toStage(placement, point);
  return (
    <svg class="marks" aria-hidden="true">
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

function Cross({ point: [x, y] }: { point: Point }) {
  const path = `M${x - ARM} ${y}h${2 * ARM}M${x} ${y - ARM}v${2 * ARM}`;
  return (
    <g class="measure">
      <path class="halo" d={path} />
      <path d={path} />
    </g>
  );
}
