// While the model reads: the pages that are there, and what it writes.
import { useEffect, useState } from "preact/hooks";
import { Button } from "../parts";
import { t } from "../text";
import type { Page } from "./extraction";
import type { ReadRequest } from "./read";

export interface Progress {
  pages: Page[];
  answer: string;
  tokens: number;
  began: number; // performance.now()
}

export function Reading(p: { request: ReadRequest; progress: Progress; onStop: () => void }) {
  const { files } = p.request;
  const { pages, answer, tokens, began } = p.progress;
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const s = Math.max(0, Math.round((now - began) / 1000));
  const shown = pages.filter((page) => page.image);
  return (
    <div class="reading">
      <div class="row spread">
        <h1>
          {files.length === 1 ? t("doc.reading", { name: files[0]!.name }) : t("doc.reading_n", { n: files.length })}
        </h1>
        <Button icon="stop" label={t("common.cancel")} onClick={p.onStop}>
          {t("common.cancel")}
        </Button>
      </div>
      <div class="working" aria-hidden="true" />
      <p class="quiet" role="status">
        {pages.length === 1 ? t("doc.page_in") : pages.length > 1 ? t("doc.pages_in", { n: pages.length }) : ""}
      </p>
      <p class="quiet">{tokens ? t("doc.tokens", { n: tokens, s }) : t("doc.waiting", { s })}</p>
      <div class="strip">
        {shown.map((page, i) => (
          <img key={i} src={page.image} alt={t("page.alt", { page: i + 1, file: page.file ?? files[0]!.name })} />
        ))}
      </div>
      {answer && (
        <details class="answer" open>
          <summary>{t("doc.answer")}</summary>
          <pre tabIndex={0}>{answer}</pre>
        </details>
      )}
    </div>
  );
}
