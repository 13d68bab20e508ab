import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { Button, chosenModel, describe, ModelSelect } from "../parts";
import { server } from "../server";
import { t } from "../text";
import { complete, type Image, type Settings, type Turn } from "./completion";
import { Composer } from "./composer";
import { Message, type Entry } from "./message";

const DEFAULTS: Settings = { model: "", system: "", temperature: 0, maxTokens: 512 };
const NEAR_END_PX = 80;

let nextId = 1;

export function ChatView() {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [settings, setSettings] = useState(DEFAULTS);
  const abort = useRef<AbortController | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const { models } = server.use();
  const model = chosenModel(settings.model);
  const sees = models.find((m) => m.id === model)?.capabilities.includes("vision") ?? false;
  const busy = entries.some((e) => e.busy);

  useEffect(() => {
    if (follow.current) scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, [entries]);

  async function answer(before: Entry[]) {
    const control = new AbortController();
    abort.current = control;
    const entry: Entry = { id: nextId++, role: "assistant", text: "", busy: true };
    let frame = 0;
    const show = () => {
      cancelAnimationFrame(frame);
      frame = 0;
      setEntries([...before, { ...entry }]);
    };
    // At most once a frame, however fast tokens come.
    const soon = () => {
      if (!frame) frame = requestAnimationFrame(show);
    };
    follow.current = true;
    show();
    try {
      // Answers that failed or are empty are no turns of the conversation for the model.
      const turns: Turn[] = before.filter((e) => e.role === "user" || e.text).map(({ role, text, images }) => ({ role, text, images }));
      await complete(turns, { ...settings, model }, {
        text: (piece) => ((entry.text += piece), soon()),
        thought: (piece) => ((entry.thoughts = (entry.thoughts ?? "") + piece), soon()),
        done: (ending, provenance) => Object.assign(entry, { ending, provenance }),
      }, control.signal);
      announce(t(entry.ending === "aborted" ? "chat.stopped" : "chat.done"));
    } catch (error) {
      entry.fault = describe(error);
    }
    entry.busy = false;
    if (abort.current === control) show();
    else cancelAnimationFrame(frame);
  }

  function send(text: string, images: Image[]) {
    void answer([...entries, { id: nextId++, role: "user", text, images }]);
  }

  function clear() {
    const running = abort.current;
    abort.current = null; // what still comes is not shown
    running?.abort();
    setEntries([]);
  }

  return (
    <div class="chat">
      <div class="row spread head">
        <h1>{t("chat.title")}</h1>
        <div class="row">
          <ModelSelect id="chat-model" value={model} onChange={(m) => setSettings({ ...settings, model: m })} />
          <Button icon="plus" label={t("chat.new")} disabled={!entries.length} onClick={clear}>
            {t("chat.new")}
          </Button>
        </div>
      </div>
      <div
        class="turns"
        ref={scroller}
        tabIndex={0}
        role="region"
        aria-label={t("chat.region")}
        onScroll={(e) => {
          const s = e.currentTarget;
          follow.current = s.scrollHeight - s.scrollTop - s.clientHeight < NEAR_END_PX;
        }}
      >
        {!entries.length && <p class="lead">{t("chat.lead")}</p>}
        {entries.map((entry, i) => (
          <Message
            key={entry.id}
            entry={entry}
            last={i === entries.length - 1}
            onAgain={() => void answer(entries.slice(0, i))}
          />
        ))}
      </div>
      <Composer model={model} sees={sees} busy={busy} onSend={send} onStop={() => abort.current?.abort()} />
      <SettingsOf settings={settings} onChange={setSettings} />
    </div>
  );
}

function SettingsOf({ settings, onChange }: { settings: Settings; onChange: (settings: Settings) => void }) {
  return (
    <details class="settings">
      <summary>{t("chat.settings")}</summary>
      <div class="row">
        <label class="field" for="chat-temperature">
          <span>{t("chat.temperature")}</span>
          <input
            id="chat-temperature"
            type="number"
            min={0}
            max={2}
            step={0.1}
            value={settings.temperature}
            onChange={(e) => {
              const temperature = Math.min(2, Math.max(0, e.currentTarget.valueAsNumber || 0));
              onChange({ ...settings, temperature });
            }}
          />
          <small class="quiet">{t("chat.temperature_hint")}</small>
        </label>
        <label class="field" for="chat-max-tokens">
          <span>{t("chat.max_tokens")}</span>
          <input
            id="chat-max-tokens"
            type="number"
            min={1}
            value={settings.maxTokens}
            onChange={(e) => onChange({ ...settings, maxTokens: Math.max(1, e.currentTarget.valueAsNumber || 1) })}
          />
        </label>
        <label class="field wide" for="chat-system">
          <span>{t("chat.system")}</span>
          <textarea
            id="chat-system"
            rows={2}
            value={settings.system}
            onInput={(e) => onChange({ ...settings, system: e.currentTarget.value })}
          />
        </label>
      </div>
    </details>
  );
}
