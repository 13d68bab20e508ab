// One study, or two beside each other, and questions about what is seen.
import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { Icon, type IconName } from "../icons";
import { Button, describe } from "../parts";
import { has, server } from "../server";
import { t } from "../text";
import { Ask } from "./ask";
import { clampSlice, linkedSlice, openPane, type Pane } from "./pane_state";
import { PaneView } from "./pane_view";
import type { Tool } from "./stage";
import { Start } from "./start";
import { readStudy, type Progress, type Study } from "./study";

interface Place {
  id: number; // stays when the place beside it goes
  pane: Pane | null;
  progress: Progress | null;
  fault: string;
}

type Side = 0 | 1;
let nextId = 0;
const emptyPlace = (): Place => ({ id: nextId++, pane: null, progress: null, fault: "" });
const tools: Record<Tool, IconName> = { window: "contrast", pan: "move", length: "ruler", angle: "angle" };

const closeTiles = (study?: Study) => study?.series.forEach((s) => s.slices[0]?.tiles?.close());

export function ImagesView() {
  const [places, setPlaces] = useState<Place[]>(() => [emptyPlace()]);
  const [tool, setTool] = useState<Tool>("window");
  const [active, setActive] = useState(places[0]!.id);
  const [linked, setLinked] = useState(false);
  const anchor = useRef<[number, number]>([0, 0]);
  const aborts = useRef(new Map<number, AbortController>());
  server.use(); // endpoints arrive later
  const can = has("/pixels");

  // Of a place that was closed in the meantime, nothing is changed.
  const setPlace = (id: number, change: Partial<Place>) => setPlaces((old) => old.map((p) => (p.id === id ? { ...p, ...change } : p)));
  const setPane = (id: number, change: Partial<Pane>) =>
    setPlaces((old) => old.map((p) => (p.id === id && p.pane ? { ...p, pane: { ...p.pane, ...change } } : p)));

  async function open(id: number, files: File[]) {
    if (!files.length) return;
    const control = new AbortController();
    aborts.current.set(id, control);
    setPlace(id, { fault: "", progress: { done: 0, total: files.length } });
    try {
      const study = await readStudy(files, (progress) => setPlace(id, { progress }), control.signal);
      if (control.signal.aborted) closeTiles(study);
      control.signal.throwIfAborted();
      setLinked(false);
      setPlace(id, { pane: openPane(study), progress: null });
      setActive(id);
      announce(t("img.opened", { n: study.series.reduce((sum, s) => sum + (s.cut ? 0 : s.slices.length), 0) }));
    } catch (error) {
      const stopped = (error as Error).name === "AbortError";
      setPlace(id, { progress: null, fault: stopped ? "" : describe(error) });
    }
  }

  function toSlice(id: number, wanted: number) {
    setPlaces((old) => {
      const i = old.findIndex((p) => p.id === id);
      const pane = old[i]?.pane;
      if (!pane) return old;
      const slice = clampSlice(pane, wanted);
      const other = old[1 - i]?.pane;
      return old.map((p, k) => {
        if (k === i) return { ...p, pane: { ...pane, slice } };
        if (!linked || !other) return p;
        const from = anchor.current;
        return { ...p, pane: { ...other, slice: linkedSlice(pane, other, slice, from[i as Side], from[k as Side]) } };
      });
    });
  }

  // Another series begins from where it stands.
  function change(place: Place, what: Partial<Pane>) {
    if (what.series !== undefined && what.series !== place.pane?.series) setLinked(false);
    setPane(place.id, what);
  }

  function close(id: number) {
    aborts.current.get(id)?.abort();
    aborts.current.delete(id);
    closeTiles(places.find((p) => p.id === id)?.pane?.study);
    const next = places.find((p) => p.id !== id) ?? emptyPlace();
    setLinked(false);
    setActive(next.id);
    setPlaces((old) => (old.length === 1 ? [next] : old.filter((p) => p.id !== id)));
  }

  const panes = places.map((p) => p.pane);
  const both = places.length === 2 && panes[0] !== null && panes[1] !== null;
  const others = both && panes[0]!.study.patient && panes[1]!.study.patient && panes[0]!.study.patient !== panes[1]!.study.patient;
  const names = places.length === 1 ? [t("img.picture")] : [t("img.left"), t("img.right")];
  const start = places.length === 1 && !panes[0];

  return (
    <div class={`images ${start ? "begin" : ""}`}>
      <div class="row spread">
        <h1>{t("img.title")}</h1>
        {!start && (
          <div class="row tools">
            <fieldset class="filter">
              <legend class="unseen">{t("img.tool")}</legend>
              {(Object.keys(tools) as Tool[]).map((name) => (
                <label key={name}>
                  <input type="radio" name="img-tool" checked={tool === name} onChange={() => setTool(name)} />
                  <span>
                    <Icon name={tools[name]} /> {t(`img.tool.${name}`)}
                  </span>
                </label>
              ))}
            </fieldset>
            {both && (
              <Button
                icon="link"
                label={t("img.link")}
                pressed={linked}
                onClick={() => {
                  anchor.current = [panes[0]!.slice, panes[1]!.slice];
                  setLinked(!linked);
                }}
              >
                {t("img.link")}
              </Button>
            )}
            {places.length === 1 && (
              <Button icon="plus" label={t("img.beside")} onClick={() => setPlaces([...places, emptyPlace()])}>
                {t("img.beside")}
              </Button>
            )}
          </div>
        )}
      </div>
      {start && <p class="lead">{t("img.lead")}</p>}
      {!can && (
        <div class="box note">
          <Icon name="note" />
          <p>{t("img.unavailable")}</p>
        </div>
      )}
      {others && (
        <div class="box error" role="alert">
          <Icon name="flag" />
          <p>{t("img.other_patient")}</p>
        </div>
      )}
      {can && (
        <div class={`desk ${places.length === 2 ? "two" : ""} ${start ? "bare" : ""}`}>
          {places.map((place, i) =>
            place.pane ? (
              <PaneView
                key={place.id}
                id={`img-${i}`}
                name={names[i]!}
                pane={place.pane}
                tool={tool}
                active={places.length === 2 && active === place.id}
                onActive={() => setActive(place.id)}
                onChange={(what) => change(place, what)}
                onSlice={(slice) => toSlice(place.id, slice)}
                onClose={() => close(place.id)}
              />
            ) : (
              <section key={place.id} class="empty" aria-label={names[i]}>
                <Start
                  progress={place.progress}
                  fault={place.fault}
                  onFiles={(files) => void open(place.id, files)}
                  onCancel={() => aborts.current.get(place.id)?.abort()}
                />
                {places.length === 2 && (
                  <Button kind="quiet" icon="close" label={t("img.close")} onClick={() => close(place.id)}>
                    {t("img.close")}
                  </Button>
                )}
              </section>
            ),
          )}
          {places.map(
            ({ id, pane }, i) =>
              pane && (
                <Ask
                  key={`ask${id}`}
                  id={`img-${i}`}
                  hidden={id !== active}
                  pane={pane}
                  name={places.length === 2 ? names[i]! : ""}
                  onBoxes={(boxes) => setPane(id, { boxes })}
                />
              ),
          )}
        </div>
      )}
      {!start && (
        <details class="keys">
          <summary>{t("img.keys")}</summary>
          <p id="img-keys">{t("img.keys_text")}</p>
        </details>
      )}
    </div>
  );
}
