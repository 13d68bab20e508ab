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
import { readStudy, type Progress } from "./study";

interface Place {
  pane: Pane | null;
  progress: Progress | null;
  fault: string;
}

type Side = 0 | 1;
const empty: Place = { pane: null, progress: null, fault: "" };
const tools: Record<Tool, IconName> = { window: "contrast", pan: "move", length: "ruler", angle: "angle" };

export function ImagesView() {
  const [places, setPlaces] = useState<Place[]>([empty]);
  const [tool, setTool] = useState<Tool>("window");
  const [active, setActive] = useState(0);
  const [linked, setLinked] = useState(false);
  const anchor = useRef<[number, number]>([0, 0]);
  const aborts = useRef<(AbortController | null)[]>([null, null]);
  server.use(); // endpoints arrive later
  const can = has("/pixels");

  const setPlace = (i: number, change: Partial<Place>) => setPlaces((old) => old.map((p, k) => (k === i ? { ...p, ...change } : p)));
  const setPane = (i: number, change: Partial<Pane>) =>
    setPlaces((old) => old.map((p, k) => (k === i && p.pane ? { ...p, pane: { ...p.pane, ...change } } : p)));

  async function open(i: number, files: File[]) {
    if (!files.length) return;
    const control = new AbortController();
    aborts.current[i] = control;
    setPlace(i, { fault: "", progress: { done: 0, total: files.length } });
    try {
      const study = await readStudy(files, (progress) => setPlace(i, { progress }), control.signal);
      setLinked(false);
      setPlace(i, { pane: openPane(study), progress: null });
      setActive(i);
      announce(t("img.opened", { n: study.series.reduce((sum, s) => sum + s.slices.length, 0) }));
    } catch (error) {
      const stopped = (error as Error).name === "AbortError";
      setPlace(i, { progress: null, fault: stopped ? "" : describe(error) });
    }
  }

  function toSlice(i: number, wanted: number) {
    setPlaces((old) => {
      const pane = old[i]!.pane!;
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
  function change(i: number, what: Partial<Pane>) {
    if (what.series !== undefined && what.series !== places[i]!.pane!.series) setLinked(false);
    setPane(i, what);
  }

  function close(i: number) {
    setLinked(false);
    setActive(0);
    if (places.length === 1) setPlaces([empty]);
    else setPlaces(places.filter((_, k) => k !== i));
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
              <Button icon="plus" label={t("img.beside")} onClick={() => setPlaces([...places, empty])}>
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
                key={i}
                id={`img-${i}`}
                name={names[i]!}
                pane={place.pane}
                tool={tool}
                active={places.length === 2 && active === i}
                onActive={() => setActive(i)}
                onChange={(what) => change(i, what)}
                onSlice={(slice) => toSlice(i, slice)}
                onClose={() => close(i)}
              />
            ) : (
              <section key={i} class="empty" aria-label={names[i]}>
                <Start
                  progress={place.progress}
                  fault={place.fault}
                  onFiles={(files) => void open(i, files)}
                  onCancel={() => aborts.current[i]?.abort()}
                />
                {places.length === 2 && (
                  <Button kind="quiet" icon="close" label={t("img.close")} onClick={() => close(i)}>
                    {t("img.close")}
                  </Button>
                )}
              </section>
            ),
          )}
          {panes.map(
            (pane, i) =>
              pane && (
                <Ask
                  key={`ask${i}`}
                  id={`img-${i}`}
                  hidden={i !== active}
                  pane={pane}
                  name={places.length === 2 ? names[i]! : ""}
                  onBoxes={(boxes) => setPane(i, { boxes })}
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
