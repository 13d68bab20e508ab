// While the model reads: how far it is, and what it writes.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button } from "../parts";
import { t } from "../text";
import { kindName } from "./extraction";
import type { Progress, ReadRequest } from "./read";

interface Props {
  request: ReadRequest;
  progress: Progress | null;
  began: number; // performance.now()
  onStop: () => void;
}

export function Reading({ request, progress, began, onStop }: Props) {
  const { files } = request;
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const s = Math.max(0, Math.round((now - began) / 1000));
  const { opened = 0, pages = 0, kind = "", answer = "", tokens = 0 } = progress ?? {};
  return (
    <div class="reading card">
      <div class="row spread">
        <h1>
          {files.length === 1 ? t("doc.reading", { name: files[0]!.name }) : t("doc.reading_n", { n: files.length })}
        </h1>
        <Button icon="stop" label={t("common.cancel")} onClick={onStop}>
          {t("common.cancel")}
        </Button>
      </div>
      <div class="working" aria-hidden="true" />
      <ol class="steps" role="status">
        <Step done={pages > 0 && opened === pages} text={pages ? t("doc.pages_in", { done: opened, n: pages }) : t("doc.pages_wait")} />
        <Step done={kind !== ""} text={kind ? t("doc.kind_is", { kind: kindName(kind) }) : t("doc.kind_wait")} />
      </ol>
      <p class="quiet">{tokens ? t("doc.tokens", { n: tokens, s }) : t("doc.waiting", { s })}</p>
      {answer && (
        <details class="answer" open>
          <summary>{t("doc.answer")}</summary>
          <pre tabIndex={0}>{answer}</pre>
        </details>
      )}
    </div>
  );
}

function Step({ done, text }: { done: boolean; text: string }) {
  return (
    <li class={done ? "done" : "quiet"}>
      <Icon name={done ? "check" : "none"} /> {text}
    </li>
  );
}
