// The review: pages on one side, values on the other.
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { Icon } from "../icons";
import { Button } from "../parts";
import { t, type TextKey } from "../text";
import { ExportBar } from "./export_bar";
import { fieldName, groupsOf, kindName, levelOf, type Extraction, type Value } from "./extraction";
import { PageViewer } from "./page_viewer";
import type { ReadRequest } from "./read";
import { type Decision, type Review } from "./review";
import { rowId, ValuesTable } from "./values_table";

const REVIEWER_SLOT = "galen.reviewer";
const filters = ["all", "check", "open"] as const;
type Filter = (typeof filters)[number];

function kept(value: Value, filter: Filter, review: Review): boolean {
  if (filter === "all") return true;
  if (filter === "check") return levelOf(value) === "flag";
  return !review[value.path];
}

export function Result(p: { request: ReadRequest; extraction: Extraction; onAnother: () => void }) {
  const { extraction } = p;
  const [review, setReview] = useState<Review>({});
  const [exported, setExported] = useState(true);
  const [filter, setFilter] = useState<Filter>("all");
  const [hovered, setHovered] = useState<string | null>(null);
  const [pinned, setPinned] = useState<string | null>(null);
  const [reviewer, setReviewer] = useState(sessionStorage.getItem(REVIEWER_SLOT) ?? "");
  const [asked, setAsked] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const reviewerInput = useRef<HTMLInputElement>(null);
  useEffect(() => heading.current?.focus(), []);

  const unsaved = !exported && Object.keys(review).length > 0;
  useEffect(() => {
    if (!unsaved) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [unsaved]);

  function decide(path: string, decision: Pick<Decision, "kind" | "value" | "text"> | null): boolean {
    const by = reviewer.trim();
    if (decision && !by) {
      setAsked(true);
      reviewerInput.current?.focus();
      return false;
    }
    const next = { ...review };
    if (decision) next[path] = { ...decision, by, at: new Date().toISOString() };
    else delete next[path];
    setReview(next);
    setExported(false);
    const field = fieldName(extraction.values.find((v) => v.path === path)!);
    announce(
      t(!decision ? "review.was_undone" : decision.kind === "corrected" ? "review.saved" : "review.was_accepted", {
        field,
      }),
    );
    return true;
  }

  function pick(path: string) {
    setPinned(path);
    if (filter !== "all") setFilter("all");
    requestAnimationFrame(() => {
      const row = document.getElementById(rowId(path));
      row?.scrollIntoView({ block: "nearest" });
      row?.querySelector<HTMLElement>(".name button")?.focus();
    });
  }

  const values = extraction.values.filter((v) => kept(v, filter, review));
  const reader = extraction.readers[0];
  const done = Object.keys(review).length;
  return (
    <div class="result">
      <div class="summary">
        <div class="row spread">
          <h1 tabIndex={-1} ref={heading}>
            {kindName(extraction.kind)}
            <small>{p.request.files.map((f) => f.name).join(", ")}</small>
          </h1>
          <div class="row">
            <ExportBar request={p.request} extraction={extraction} review={review} onExported={() => setExported(true)} />
            <Button
              icon="file"
              label={t("doc.another")}
              onClick={() => {
                if (!unsaved || confirm(t("doc.leave"))) p.onAnother();
              }}
            >
              {t("doc.another")}
            </Button>
          </div>
        </div>
        <p class="device">
          <Icon name="note" /> {t("result.device")}
        </p>
        {!extraction.complete && (
          <p class="box error">
            <Icon name="flag" /> {t("result.incomplete")}
          </p>
        )}
        {extraction.verdicts.length > 0 && (
          <ul class="case" aria-label={t("result.case")}>
            {extraction.verdicts.map((v, i) => (
              <li key={i} class={`message ${v.level}`}>
                <Icon name={v.level === "flag" ? "flag" : v.level === "note" ? "note" : "check"} /> {v.message}
              </li>
            ))}
          </ul>
        )}
      </div>
      <div class="split">
        <PageViewer extraction={extraction} active={hovered ?? pinned} onHover={setHovered} onPick={pick} />
        <section class="review" aria-label={t("result.values")}>
          <div class="bar">
            <fieldset class="filter">
              <legend class="unseen">{t("result.filter")}</legend>
              {filters.map((f) => (
                <label key={f}>
                  <input type="radio" name="filter" checked={filter === f} onChange={() => setFilter(f)} />
                  <span>
                    {t(`result.filter.${f}` as TextKey)}{" "}
                    <b>{extraction.values.filter((v) => kept(v, f, review)).length}</b>
                  </span>
                </label>
              ))}
            </fieldset>
            <label class="field inline" for="reviewer">
              <span>{t("result.reviewer")}</span>
              <input
                ref={reviewerInput}
                id="reviewer"
                type="text"
                autocomplete="off"
                placeholder={t("result.reviewer_hint")}
                value={reviewer}
                aria-invalid={asked && !reviewer ? "true" : undefined}
                aria-describedby={asked && !reviewer ? "reviewer-fault" : undefined}
                onInput={(e) => {
                  setReviewer(e.currentTarget.value);
                  sessionStorage.setItem(REVIEWER_SLOT, e.currentTarget.value);
                }}
              />
            </label>
            {asked && !reviewer.trim() && (
              <span class="fault" id="reviewer-fault" role="alert">
                {t("result.reviewer_needed")}
              </span>
            )}
          </div>
          <div class="table">
            <ValuesTable
              extraction={extraction}
              groups={groupsOf(values)}
              review={review}
              active={hovered ?? pinned}
              onActive={setHovered}
              onPin={setPinned}
              onDecide={decide}
            />
          </div>
          <p class="foot quiet small">
            <span>{t("result.progress", { done, n: extraction.values.length })}</span>
            <span>{t("result.keys")}</span>
            {reader && (
              <span>
                {t("result.read_by", { model: reader.model.replace(/^.*\//, ""), reads: t(`result.reads.${reader.reads}` as TextKey) })}
              </span>
            )}
          </p>
        </section>
      </div>
    </div>
  );
}
