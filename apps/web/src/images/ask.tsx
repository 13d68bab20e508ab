// Questions about the picture or its series, what the model would see of it, and the way to the chat.
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { draft } from "../chat/draft";
import { Markdown } from "../chat/markdown";
import { Icon } from "../icons";
import { Button, chosenModel, describe, ErrorBox, MINI, ModelSelect } from "../parts";
import { has, server } from "../server";
import { number, t, type TextKey } from "../text";
import { seriesOf, sliceOf, type Pane } from "./pane_state";
import { pictureOf } from "./picture";
import { analyze, canWindow, countFiles, look, recipesOf, takesSeries, type Answer, type Media, type Question, type Scope } from "./question";

interface Props {
  id: string;
  hidden: boolean; // another picture is looked at; what is asked goes on
  pane: Pane;
  name: string; // which of two it is about; empty: the only one
  onBoxes: (boxes: Pane["boxes"]) => void;
}

type Said = { text: string; thoughts: string; answer: Answer | null; stopped: boolean };

export function Ask({ id, hidden, pane, name, onBoxes }: Props) {
  const [wanted, setModel] = useState("");
  const [wantedRecipe, setRecipe] = useState("");
  const [scope, setScope] = useState<Scope>("slice");
  const [asShown, setAsShown] = useState(false);
  const [text, setText] = useState("");
  const [said, setSaid] = useState<Said | null>(null);
  const [seen, setSeen] = useState<Media | null>(null);
  const [busy, setBusy] = useState<"" | "ask" | "look">("");
  const [fault, setFault] = useState("");
  const abort = useRef<AbortController | null>(null);
  const { models } = server.use();
  const model = chosenModel(wanted || (models.find((m) => m.id !== MINI && m.capabilities.includes("vision"))?.id ?? ""));
  const sees = models.find((m) => m.id === model)?.capabilities.includes("vision") ?? false;
  const recipes = recipesOf(pane);
  const recipe = recipes.includes(wantedRecipe) ? wantedRecipe : "";
  const canSeries = takesSeries(pane, recipe) && seriesOf(pane).slices.length > 1;
  const files = countFiles(pane);
  const volume = sliceOf(pane).kind === "volume";
  const question: Question = { scope: canSeries ? scope : "slice", recipe, asShown, text, model };

  useEffect(() => () => abort.current?.abort(), []);

  async function run(kind: "ask" | "look", work: (signal: AbortSignal) => Promise<void>) {
    const control = new AbortController();
    abort.current = control;
    setFault("");
    setBusy(kind);
    try {
      await work(control.signal);
    } catch (error) {
      if ((error as Error).name === "AbortError") setSaid((old) => old && { ...old, stopped: true });
      else setFault(describe(error));
    }
    setBusy("");
  }

  const ask = () =>
    run("ask", async (signal) => {
      const at = { series: pane.series, slice: pane.slice };
      onBoxes(null);
      setSaid({ text: "", thoughts: "", answer: null, stopped: false });
      const grow = (change: (old: Said) => Said) => setSaid((old) => old && change(old));
      const answer = await analyze(pane, question, {
        text: (piece) => grow((old) => ({ ...old, text: old.text + piece })),
        thought: (piece) => grow((old) => ({ ...old, thoughts: old.thoughts + piece })),
      }, signal);
      setSaid({ text: answer.text, thoughts: answer.thinking ?? "", answer, stopped: false });
      if (answer.boxes?.boxes.length) onBoxes({ ...at, boxes: answer.boxes.boxes });
      announce(t("chat.done"));
    });

  const show = () => run("look", async (signal) => setSeen(await look(pane, question, signal)));

  function toChat() {
    draft.set({ images: [{ name: t("img.picture"), url: pictureOf(pane).toDataURL("image/png") }] });
    location.hash = "#/chat";
  }

  return (
    <section class="ask card" hidden={hidden} aria-labelledby={`${id}-ask`}>
      <h2 id={`${id}-ask`}>{name ? t("img.ask_about", { name }) : t("img.ask")}</h2>
      <ModelSelect id={`${id}-model`} value={model} onChange={setModel} />
      {model && !sees && (
        <p class="fault">
          <Icon name="flag" /> {t("chat.no_images", { model })}
        </p>
      )}
      <label class="field" for={`${id}-recipe`}>
        <span>{t("img.recipe")}</span>
        <select id={`${id}-recipe`} value={recipe} onChange={(e) => setRecipe(e.currentTarget.value)}>
          {recipes.map((r) => (
            <option key={r} value={r}>
              {t(`img.recipe.${r || "auto"}` as TextKey)}
            </option>
          ))}
        </select>
      </label>
      {canSeries && (
        <label class="field" for={`${id}-scope`}>
          <span>{t("img.scope")}</span>
          <select id={`${id}-scope`} value={scope} onChange={(e) => setScope(e.currentTarget.value as Scope)}>
            <option value="slice">{t("img.scope.slice", { k: pane.slice + 1 })}</option>
            <option value="series">{volume ? t("img.scope.volume") : files.sent < files.of ? t("img.scope.some", files) : t("img.scope.series", files)}</option>
          </select>
        </label>
      )}
      {canWindow(pane) && (
        <label class="check">
          <input type="checkbox" checked={asShown} onChange={(e) => setAsShown(e.currentTarget.checked)} />
          <span>{t("img.as_shown")}</span>
        </label>
      )}
      <textarea rows={3} aria-label={t("img.question")} placeholder={t("img.question")} value={text} onInput={(e) => setText(e.currentTarget.value)} />
      <div class="row acts">
        {busy ? (
          <Button kind="primary" icon="stop" label={t("chat.stop")} onClick={() => abort.current?.abort()}>
            {t("chat.stop")}
          </Button>
        ) : (
          <Button kind="primary" icon="send" label={t("img.ask_go")} disabled={!sees || !has("/analyze") || !text.trim()} onClick={() => void ask()}>
            {t("img.ask_go")}
          </Button>
        )}
        <Button icon="image" label={t("img.look")} disabled={busy !== "" || !has("/look")} onClick={() => void show()}>
          {t("img.look")}
        </Button>
        <Button kind="quiet" icon="chat" label={t("img.to_chat")} onClick={toChat}>
          {t("img.to_chat")}
        </Button>
      </div>
      {busy !== "" && <div class="working" aria-hidden="true" />}
      {fault && <ErrorBox message={fault} />}
      {said && <SaidBy said={said} busy={busy === "ask"} />}
      {seen && <Seen id={`${id}-seen`} media={seen} onClose={() => setSeen(null)} />}
    </section>
  );
}

function SaidBy({ said: { text, thoughts, answer, stopped }, busy }: { said: Said; busy: boolean }) {
  return (
    <article class="message-of model" aria-label={answer?.model ?? t("common.model")} aria-busy={busy}>
      {thoughts && (
        <details class="thoughts">
          <summary>{t(busy && !text ? "chat.thinking" : "chat.thoughts")}</summary>
          <p>{thoughts}</p>
        </details>
      )}
      {busy && !text && !thoughts && <p class="quiet">{t("chat.answering")}</p>}
      {text && <Markdown text={text} />}
      {stopped && (
        <p class="ending">
          <Icon name="stop" /> {t("chat.stopped")}
        </p>
      )}
      {answer?.finish_reason === "length" && (
        <p class="ending">
          <Icon name="note" /> {t("chat.cut")}
        </p>
      )}
      {answer?.boxes && <Found boxes={answer.boxes} />}
      {answer && (
        <p class="quiet small from">
          {t("img.from", {
            model: answer.model,
            recipe: `${answer.media.recipe.name} ${answer.media.recipe.version}`,
            images: answer.media.images.length,
            tokens: answer.usage.completion_tokens,
            speed: number(answer.timings.decode_tokens_per_s),
          })}
        </p>
      )}
    </article>
  );
}

function Found({ boxes: { boxes, warnings } }: { boxes: NonNullable<Answer["boxes"]> }) {
  return (
    <>
      <ul class="found" aria-label={t("img.boxes")}>
        {boxes.map(({ label, box }, i) => (
          <li key={i}>{t("img.box", { label, x0: Math.round(box[0]), y0: Math.round(box[1]), x1: Math.round(box[2]), y1: Math.round(box[3]) })}</li>
        ))}
      </ul>
      {warnings.map((warning, i) => (
        <p key={i} class="quiet small">
          {warning}
        </p>
      ))}
    </>
  );
}

function Seen({ id, media, onClose }: { id: string; media: Media; onClose: () => void }) {
  return (
    <section class="seen" aria-labelledby={id}>
      <div class="row spread">
        <h2 id={id}>{t("img.seen", { n: media.images.length })}</h2>
        <Button kind="quiet" icon="close" label={t("img.seen_close")} onClick={onClose} />
      </div>
      <p class="quiet small">
        {t(media.recipe.official ? "img.seen_official" : "img.seen_own", { recipe: `${media.recipe.name} ${media.recipe.version}` })}
      </p>
      {(media.overviews ?? []).map((overview, i) => (
        <figure key={i} class="overview">
          <img src={overview.png} alt={t("img.overview")} />
          <figcaption class="small">{t("img.overview")}</figcaption>
        </figure>
      ))}
      <ul class="pictures" tabIndex={0} aria-label={t("img.seen", { n: media.images.length })}>
        {media.images.map((image, i) => (
          <li key={i}>
            <img src={image.png} alt={t("chat.image_of", { n: i + 1 })} loading="lazy" />
            <span class="small">{image.source}</span>
          </li>
        ))}
      </ul>
      <dl class="small">
        {media.facts.map(({ name, value }, i) => (
          <div key={i}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {media.warnings.map((warning, i) => (
        <p key={i} class="quiet small">
          {warning}
        </p>
      ))}
      {media.prompt && (
        <details>
          <summary>{t("img.prompt")}</summary>
          <pre tabIndex={0}>{media.prompt}</pre>
        </details>
      )}
    </section>
  );
}
