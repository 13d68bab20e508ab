import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "../icons";
import { Button } from "../parts";
import { clock, t } from "../text";
import { fieldName, levelOf, shown, textOf, type Value } from "./extraction";
import { typed, type Decision } from "./review";
import { rowId } from "./values_table";

const icons: Record<string, IconName> = { ok: "check", note: "note", flag: "flag", none: "none" };
const percent = (x: number): string => String(Math.round(x * 100));

interface Props {
  value: Value;
  group: string;
  decision: Decision | undefined;
  active: boolean;
  onActive: (path: string | null) => void;
  onPin: (path: string) => void;
  onDecide: (path: string, decision: Pick<Decision, "kind" | "value" | "text"> | null) => boolean;
}

export function ValueRow(p: Props) {
  const { value, decision } = p;
  const [editing, setEditing] = useState(false);
  const row = useRef<HTMLTableRowElement>(null);
  const field = fieldName(value);
  const named = `${field} (${p.group})`;
  const refocus = () => requestAnimationFrame(() => row.current?.querySelector<HTMLElement>(".name button")?.focus());

  const accept = () => p.onDecide(value.path, { kind: "accepted", value: value.value });
  const edit = () => setEditing(true);
  function keys(event: KeyboardEvent) {
    if (editing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "e") edit();
    else if (event.key === "a" && !decision) accept();
    else return;
    event.preventDefault();
  }

  return (
    <tr
      ref={row}
      id={rowId(value.path)}
      class={`value ${levelOf(value)} ${p.active ? "active" : ""} ${decision?.kind ?? ""}`}
      onMouseEnter={() => p.onActive(value.path)}
      onFocusCapture={() => p.onActive(value.path)}
      onKeyDown={keys}
    >
      <th scope="row" class="name">
        <button type="button" title={t("result.show", { field })} onClick={() => p.onPin(value.path)}>
          {field}
        </button>
      </th>
      <td class="content">
        {editing ? (
          <Editor
            value={value}
            name={named}
            start={decision?.kind === "corrected" ? shown(decision.value, decision.text) : textOf(value)}
            onCancel={() => (setEditing(false), refocus())}
            onSave={(next, text) => {
              const same = next === value.value;
              const taken = same
                ? p.onDecide(value.path, { kind: "accepted", value: next })
                : p.onDecide(value.path, { kind: "corrected", value: next, text });
              if (taken) (setEditing(false), refocus());
            }}
          />
        ) : (
          <Content value={value} decision={decision} />
        )}
      </td>
      <td class="finding">
        <Finding value={value} />
      </td>
      <td class="act">
        {decision ? (
          <>
            <span class={`mark ${decision.kind}`} title={t("review.by", { by: decision.by, at: clock(decision.at) })}>
              <Icon name={decision.kind === "corrected" ? "edit" : "check"} />
              {t(`review.${decision.kind}`)}
            </span>
            <Button kind="quiet" icon="undo" label={t("review.undo_of", { field: named })} onClick={() => p.onDecide(value.path, null)} />
          </>
        ) : (
          !editing && (
            <>
              <Button kind="quiet" icon="check" label={t("review.accept_of", { field: named })} onClick={accept} />
              <Button kind="quiet" icon="edit" label={t("review.edit_of", { field: named })} onClick={edit} />
            </>
          )
        )}
      </td>
    </tr>
  );
}

function Content({ value, decision }: { value: Value; decision: Decision | undefined }) {
  const corrected = decision?.kind === "corrected";
  const text = corrected ? shown(decision.value, decision.text) : textOf(value);
  return (
    <>
      {text === "" ? <span class="empty">{t("result.empty")}</span> : <span class="text">{text}</span>}
      {corrected && <span class="was">{t("review.was", { value: textOf(value) || t("result.empty") })}</span>}
      {decision && <span class="was">{t("review.by", { by: decision.by, at: clock(decision.at) })}</span>}
    </>
  );
}

function Finding({ value }: { value: Value }) {
  const level = levelOf(value);
  const telling = value.verdicts.filter((v) => v.level !== "ok");
  return (
    <>
      <span class={`chip ${level}`}>
        <Icon name={icons[level]!} />
        {t(`level.${level}`)}
      </span>
      {value.confidence && (
        <span
          class="confidence"
          title={t("confidence.long", { percent: percent(value.confidence.mean), lowest: percent(value.confidence.lowest) })}
        >
          <svg viewBox="0 0 40 4" aria-hidden="true" preserveAspectRatio="none">
            <rect class="rail" width="40" height="4" rx="2" />
            <rect class="fill" width={Math.max(2, 40 * value.confidence.mean)} height="4" rx="2" />
          </svg>
          {t("confidence", { percent: percent(value.confidence.mean) })}
        </span>
      )}
      {telling.map((v) => (
        <span key={v.id} class={`message ${v.level}`} title={[v.id, v.rule, v.source].filter(Boolean).join(" · ")}>
          {v.message}
        </span>
      ))}
    </>
  );
}

interface EditorProps {
  value: Value;
  name: string;
  start: string;
  onSave: (value: Value["value"], text?: string) => void;
  onCancel: () => void;
}

function Editor({ value, name, start, onSave, onCancel }: EditorProps) {
  const [text, setText] = useState(start);
  const [fault, setFault] = useState("");
  const input = useRef<HTMLInputElement>(null);
  // Before the next key comes.
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  function save() {
    const next = typed(value, text);
    if (next === undefined) return setFault(t("review.not_number"));
    onSave(next, typeof next === "number" ? text.trim() : undefined);
  }
  return (
    <div class="editor">
      <input
        ref={input}
        type="text"
        value={text}
        aria-label={t("review.new_value", { field: name })}
        aria-invalid={fault ? "true" : undefined}
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          e.stopPropagation();
          if (e.key === "Enter") save();
          if (e.key === "Escape") onCancel();
        }}
      />
      <Button kind="primary" label={t("review.save")} onClick={save}>
        {t("review.save")}
      </Button>
      <Button kind="quiet" icon="close" label={t("common.cancel")} onClick={onCancel} />
      {fault && (
        <span class="fault" role="alert">
          {fault}
        </span>
      )}
    </div>
  );
}
