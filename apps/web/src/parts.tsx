// Small parts that several views use.
import type { ComponentChildren } from "preact";
import { ApiError } from "./api";
import { Icon, type IconName } from "./icons";
import { server } from "./server";
import { t } from "./text";

interface ButtonProps {
  icon?: IconName;
  label: string;
  /** The text shown; without it the icon stands alone and `label` is its name. */
  children?: ComponentChildren;
  kind?: "primary" | "plain" | "quiet";
  disabled?: boolean;
  title?: string;
  pressed?: boolean;
  onClick: (event: MouseEvent) => void;
}

export function Button(p: ButtonProps) {
  return (
    <button
      type="button"
      class={`button ${p.kind ?? "plain"} ${p.children ? "" : "alone"}`}
      aria-label={p.children === p.label ? undefined : p.label}
      aria-pressed={p.pressed}
      title={p.title ?? (p.children ? undefined : p.label)}
      disabled={p.disabled}
      onClick={p.onClick}
    >
      {p.icon && <Icon name={p.icon} />}
      {p.children && <span>{p.children}</span>}
    </button>
  );
}

export function ErrorBox({ message }: { message: string }) {
  return (
    <div class="box error" role="alert">
      <Icon name="flag" />
      <p>
        <strong>{t("common.error")}:</strong> {message}
      </p>
    </div>
  );
}

export function describe(error: unknown): string {
  if (error instanceof ApiError) return error.status === 0 ? t("common.network") : error.message;
  return error instanceof Error ? error.message : String(error);
}

export function ModelSelect(p: { id: string; value: string; onChange: (model: string) => void }) {
  const { models } = server.use();
  return (
    <label class="field" for={p.id}>
      <span>{t("common.model")}</span>
      <select id={p.id} value={p.value} onChange={(e) => p.onChange(e.currentTarget.value)} disabled={!models.length}>
        {!models.length && <option value="">{t("common.no_models")}</option>}
        {models.map((model) => (
          <option key={model.id} value={model.id}>
            {model.id}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The model inside the program: it reads documents of these kinds, and answers nothing else (docs/models/galen-mini.md). */
export const MINI = "galen-mini";
const miniKinds = ["auto", "lab_report"];

/** The model wanted, if it is there; else one that answers questions, if there is any. */
export function chosenModel(wanted: string): string {
  const { models } = server.get();
  if (models.some((m) => m.id === wanted)) return wanted;
  return (models.find((m) => m.id !== MINI) ?? models[0])?.id ?? "";
}

/** What reads documents of a kind: the model wanted, or as /extract chooses. */
export function chosenReader(wanted: string, kind: string): string {
  const { models } = server.get();
  const mini = miniKinds.includes(kind) && models.some((m) => m.id === MINI);
  return chosenModel(wanted || (mini ? MINI : ""));
}
