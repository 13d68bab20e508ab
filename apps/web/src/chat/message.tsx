import { announce } from "../announce";
import { Icon } from "../icons";
import { Button, ErrorBox } from "../parts";
import { number, t } from "../text";
import type { Ending, Provenance, Turn } from "./completion";
import { Markdown } from "./markdown";

export interface Entry extends Turn {
  id: number;
  thoughts?: string;
  busy?: boolean;
  ending?: Ending;
  provenance?: Provenance;
  fault?: string;
}

export function Message({ entry, last, onAgain }: { entry: Entry; last: boolean; onAgain: () => void }) {
  if (entry.role === "user")
    return (
      <article class="message-of user" aria-label={t("chat.you")}>
        {entry.images?.map((image, i) => (
          <img key={i} src={image.url} alt={image.name || t("chat.image_of", { n: i + 1 })} />
        ))}
        <p>{entry.text}</p>
      </article>
    );
  const { provenance } = entry;
  return (
    <article class="message-of model" aria-label={provenance?.model ?? t("common.model")} aria-busy={entry.busy}>
      {entry.thoughts && (
        <details class="thoughts">
          <summary>{t(entry.busy && !entry.text ? "chat.thinking" : "chat.thoughts")}</summary>
          <p>{entry.thoughts}</p>
        </details>
      )}
      {entry.busy && !entry.text && !entry.thoughts && (
        <p class="quiet dots">
          {t("chat.answering")}
          <i aria-hidden="true" />
        </p>
      )}
      {entry.text && <Markdown text={entry.text} />}
      {!entry.busy && !entry.text && !entry.fault && entry.ending !== "aborted" && (
        <p class="quiet">{t("chat.empty_answer")}</p>
      )}
      {entry.fault && <ErrorBox message={entry.fault} />}
      {entry.ending === "aborted" && (
        <p class="ending">
          <Icon name="stop" /> {t("chat.stopped")}
        </p>
      )}
      {entry.ending === "length" && (
        <p class="ending">
          <Icon name="note" /> {t("chat.cut")}
        </p>
      )}
      {!entry.busy && (
        <div class="after">
          {provenance && <ProvenanceOf provenance={provenance} />}
          <span class="gap" />
          {entry.text && (
            <Button
              kind="quiet"
              icon="copy"
              label={t("chat.copy")}
              onClick={() => void navigator.clipboard?.writeText(entry.text).then(() => announce(t("chat.copied")))}
            />
          )}
          {last && <Button kind="quiet" icon="again" label={t("chat.regenerate")} onClick={onAgain} />}
        </div>
      )}
    </article>
  );
}

function ProvenanceOf({ provenance: p }: { provenance: Provenance }) {
  const speed = t("prov.speed_value", { n: number(p.tokensPerSecond) });
  const facts: [string, string][] = [
    [t("prov.model"), p.model],
    [t("prov.fingerprint"), p.fingerprint],
    [t("prov.speed"), speed],
    [t("prov.tokens"), p.promptTokens ? t("prov.tokens_value", { prompt: p.promptTokens, answer: p.answerTokens }) : String(p.answerTokens)],
    [t("prov.first"), t("prov.first_value", { s: p.firstSeconds.toFixed(2) })],
    [t("prov.request"), p.request],
  ];
  return (
    <details class="provenance">
      <summary>
        <span class="unseen">{t("chat.provenance")}: </span>
        {p.model} · {speed}
      </summary>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
    </details>
  );
}
