import { Fragment } from "preact";
import { t } from "../text";
import type { Extraction, Group } from "./extraction";
import type { Decision, Review } from "./review";
import { ValueRow } from "./value_row";

interface Props {
  extraction: Extraction;
  groups: Group[];
  review: Review;
  active: string | null;
  onActive: (path: string | null) => void;
  onPin: (path: string) => void;
  /** False: the decision was not taken (nobody says who reviews). */
  onDecide: (path: string, decision: Pick<Decision, "kind" | "value" | "text"> | null) => boolean;
}

export const rowId = (path: string): string => `row${path.replace(/[^\w]/g, "-")}`;

/** Arrow keys go from row to row, wherever in the row the focus is. */
function move(event: KeyboardEvent) {
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (!step || (event.target as HTMLElement).tagName === "INPUT") return;
  const rows = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("tr.value")];
  const at = rows.findIndex((row) => row.contains(event.target as Node));
  const next = rows[at + step];
  if (!next) return;
  event.preventDefault();
  next.querySelector<HTMLElement>(".name button")?.focus();
}

export function ValuesTable(p: Props) {
  if (!p.groups.length) return <p class="quiet centre">{t("result.none")}</p>;
  return (
    <table class="values" onKeyDown={move} onMouseLeave={() => p.onActive(null)}>
      <caption class="unseen">{t("result.values")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("result.field")}</th>
          <th scope="col">{t("result.value")}</th>
          <th scope="col">{t("result.finding")}</th>
          <th scope="col">{t("result.review")}</th>
        </tr>
      </thead>
      {p.groups.map((group) => (
        <Fragment key={group.key}>
          <tbody>
            <tr class="group">
              <th scope="rowgroup" colSpan={4}>
                {group.title}
              </th>
            </tr>
            {group.values.map((value) => (
              <ValueRow
                key={value.path}
                value={value}
                group={group.title}
                decision={p.review[value.path]}
                active={p.active === value.path}
                onActive={p.onActive}
                onPin={p.onPin}
                onDecide={p.onDecide}
              />
            ))}
          </tbody>
        </Fragment>
      ))}
    </table>
  );
}
