// A study: its series, windows and slices around the picture.
import { useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button } from "../parts";
import { number, t, type TextKey } from "../text";
import { basisOf, valueText, type Measurement } from "./measure";
import { seriesOf, showPlane, showSeries, sliceOf, type Pane } from "./pane_state";
import { Stage, type Tool } from "./stage";
import type { Series, Slice } from "./study";
import { wholePicture, type Point } from "./viewport";
import { leastWidth, optionId, voiOf, windowOf, windowOptions } from "./windows";

interface Props {
  id: string;
  name: string; // of the place: the picture, or the left or right one
  pane: Pane;
  tool: Tool;
  active: boolean;
  onActive: () => void;
  onChange: (change: Partial<Pane>) => void;
  onSlice: (slice: number) => void;
  onClose: () => void;
}

function probeText(slice: Slice, [x, y]: Point): string {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const at = (row * slice.columns + column) * slice.channels;
  const place = t("img.at", { x: column + 1, y: row + 1 });
  if (slice.tiles) return place;
  if (slice.channels === 3) return `${place}: ${[0, 1, 2].map((c) => slice.values[at + c]).join(" ")}`;
  return `${place}: ${number(slice.values[at]! * slice.slope + slice.intercept)} ${slice.unit}`;
}

export function PaneView({ id, name, pane, tool, active, onActive, onChange, onSlice, onClose }: Props) {
  const [point, setPoint] = useState<Point | null>(null);
  const series = seriesOf(pane);
  const slice = sliceOf(pane);
  const n = series.slices.length;
  const of = t("img.slice_of", { k: pane.slice + 1, n });
  const choose = (index: number) => onChange(showSeries(index, pane.study));
  const zoomBy = (view: Pane["view"]) => onChange({ view });
  return (
    <section class={`pane card ${active ? "active" : ""}`} aria-label={name} onFocusCapture={onActive} onPointerDown={onActive}>
      <div class="bar">
        <label class="unseen" for={`${id}-series`}>
          {t("img.series")}
        </label>
        <select id={`${id}-series`} class="series" value={series.head} onChange={(e) => choose(Number(e.currentTarget.value))}>
          {pane.study.series.map((s, i) =>
            s.cut ? null : (
              <option key={i} value={i}>
                {s.slices.length > 1 ? `${s.title} (${s.slices.length})` : s.title}
              </option>
            ),
          )}
        </select>
        <PlaneChoice id={id} pane={pane} onChange={onChange} />
        {!slice.tiles && (
          <>
            <WindowSelect id={id} pane={pane} onChange={onChange} />
            <Button icon="contrast" kind="quiet" label={t("img.invert")} pressed={pane.invert} onClick={() => onChange({ invert: !pane.invert })} />
          </>
        )}
        <Button icon="fit" kind="quiet" label={t("img.fit")} onClick={() => zoomBy(wholePicture)} />
        <Button kind="quiet" label={t("img.one_to_one")} onClick={() => zoomBy({ zoom: 1 / (devicePixelRatio || 1), centre: null })}>
          1:1
        </Button>
        <Button
          icon="undo"
          kind="quiet"
          label={t("img.reset")}
          onClick={() => onChange({ ...showSeries(pane.series, pane.study), slice: pane.slice, measurements: [], boxes: null })}
        />
        <span class="gap" />
        <Button icon="close" kind="quiet" label={t("img.close")} onClick={onClose} />
      </div>
      <Stage
        pane={pane}
        tool={tool}
        label={n > 1 ? `${name}, ${of}` : name}
        onChange={onChange}
        onSlice={onSlice}
        onProbe={setPoint}
      />
      {n > 1 && (
        <div class="scroll">
          <input
            type="range"
            min={1}
            max={n}
            value={pane.slice + 1}
            aria-label={t("img.slice")}
            aria-valuetext={of}
            onInput={(e) => onSlice(e.currentTarget.valueAsNumber - 1)}
          />
          <span>{of}</span>
        </div>
      )}
      <div class="facts">
        {!slice.tiles && <WindowFields id={id} pane={pane} onChange={onChange} />}
        <span class="quiet">{factsOf(slice, series)}</span>
        <span class="gap" />
        <output class="probe">{point ? probeText(slice, point) : ""}</output>
      </div>
      {slice.tiles?.fault && (
        <p class="fault padded" role="status">
          <Icon name="flag" /> {slice.tiles.fault}
        </p>
      )}
      <Measurements pane={pane} onChange={onChange} onSlice={onSlice} />
      <Notes notes={[...pane.study.warnings, ...series.notes]} />
    </section>
  );
}

function factsOf(slice: Slice, { edges, cut }: Series): string {
  const facts = [t("img.size", { w: slice.columns, h: slice.rows })];
  const mm = (x: number) => Number(x.toFixed(4));
  if (slice.tiles && slice.spacing) facts.push(t("img.um_each", { n: Number((slice.spacing[1] * 1000).toFixed(4)) }));
  else if (slice.spacing) facts.push(t("img.spacing", { w: mm(slice.spacing[1]), h: mm(slice.spacing[0]) }));
  if (slice.spacing || slice.kind === "dicom" || slice.tiles) facts.push(basisOf(slice));
  if (edges[0]) facts.push(t("img.edges", { left: t(`img.edge.${edges[0]}` as TextKey), top: t(`img.edge.${edges[1]}` as TextKey) }));
  if (cut && slice.kind === "cut") facts.push(t("img.cut_here"));
  if (slice.thickness !== null) facts.push(t("img.thickness", { n: slice.thickness }));
  if (slice.lossy) facts.push(t("img.lossy"));
  if (slice.location !== null && slice.kind === "dicom") facts.push(t("img.location", { n: number(slice.location) }));
  return facts.filter(Boolean).join(" · ");
}

type Part = Pick<Props, "id" | "pane" | "onChange">;

function PlaneChoice({ id, pane, onChange }: Part) {
  const series = seriesOf(pane);
  const planes = pane.study.series.flatMap((s, i) => (s.head === series.head && s.plane ? [{ plane: s.plane, index: i }] : []));
  if (planes.length < 2) return null;
  return (
    <fieldset class="filter planes">
      <legend class="unseen">{t("img.plane")}</legend>
      {planes.map(({ plane, index }) => (
        <label key={plane}>
          <input type="radio" name={`${id}-plane`} checked={index === pane.series} onChange={() => onChange(showPlane(index, pane))} />
          <span>{t(`img.plane.${plane}`)}</span>
        </label>
      ))}
    </fieldset>
  );
}

function WindowSelect({ id, pane, onChange }: Part) {
  const options = windowOptions(sliceOf(pane));
  const shown = optionId(pane.choice);
  return (
    <>
      <label class="unseen" for={`${id}-window`}>
        {t("img.window")}
      </label>
      <select
        id={`${id}-window`}
        value={shown}
        onChange={(e) => {
          const option = options.find((o) => o.id === e.currentTarget.value);
          if (option) onChange({ choice: option.choice });
        }}
      >
        {options.map((o) => (
          <option key={o.id} value={o.id}>
            {o.label}
          </option>
        ))}
        {!options.some((o) => o.id === shown) && <option value={shown}>{t("img.window.own")}</option>}
      </select>
    </>
  );
}

function WindowFields({ id, pane, onChange }: Part) {
  const window = windowOf(voiOf(pane.choice, sliceOf(pane), seriesOf(pane)));
  const own = (change: { center?: number; width?: number }) => {
    const next = { ...window, ...change };
    if (Number.isFinite(next.center) && next.width >= leastWidth(next)) onChange({ choice: { kind: "own", window: next } });
  };
  return (
    <>
      <NumberField id={`${id}-centre`} label={t("img.centre")} value={window.center} onValue={(x) => own({ center: x })} />
      <NumberField id={`${id}-width`} label={t("img.width")} value={window.width} onValue={(x) => own({ width: x })} />
    </>
  );
}

interface NumberProps {
  id: string;
  label: string;
  value: number;
  onValue: (x: number) => void;
}

// What is being typed stays while the picture around it changes; it counts when the field is left, or by Enter.
function NumberField({ id, label, value, onValue }: NumberProps) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <label class="field inline" for={id}>
      <span>{label}</span>
      <input
        id={id}
        type="number"
        step="any"
        value={typed ?? value}
        onInput={(e) => setTyped(e.currentTarget.value)}
        onChange={(e) => {
          setTyped(null);
          onValue(e.currentTarget.valueAsNumber);
        }}
      />
    </label>
  );
}

function Measurements({ pane, onChange, onSlice }: Pick<Props, "pane" | "onChange" | "onSlice">) {
  if (!pane.measurements.length) return null;
  const text = (m: Measurement) => {
    const series = pane.study.series[m.series]!;
    const value = valueText(series.slices[m.slice]!, m);
    const name = t(m.kind === "length" ? "img.length" : "img.angle");
    return series.slices.length > 1 ? `${name}: ${value}, ${t("img.slice_k", { k: m.slice + 1 })}` : `${name}: ${value}`;
  };
  return (
    <ul class="measured" aria-label={t("img.measurements")}>
      {pane.measurements.map((m) => (
        <li key={m.id}>
          <Icon name={m.kind === "length" ? "ruler" : "angle"} />
          <span>{text(m)}</span>
          {m.series === pane.series && m.slice !== pane.slice && (
            <Button kind="quiet" icon="right" label={t("img.go", { k: m.slice + 1 })} onClick={() => onSlice(m.slice)} />
          )}
          <Button
            kind="quiet"
            icon="close"
            label={t("common.remove", { name: text(m) })}
            onClick={() => onChange({ measurements: pane.measurements.filter((other) => other !== m) })}
          />
        </li>
      ))}
    </ul>
  );
}

function Notes({ notes }: { notes: string[] }) {
  if (!notes.length) return null;
  return (
    <details class="notes">
      <summary>{t("img.notes", { n: notes.length })}</summary>
      <ul>
        {notes.map((note, i) => (
          <li key={i}>{note}</li>
        ))}
      </ul>
    </details>
  );
}
