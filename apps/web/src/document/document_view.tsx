// From files to reviewed values: choose, read, review.
import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { describe } from "../parts";
import { t } from "../text";
import { kindName, type Extraction, type Page } from "./extraction";
import { readDocument, type ReadRequest } from "./read";
import { Reading, type Progress } from "./reading";
import { Result } from "./result";
import { StartForm } from "./start_form";

type Stage =
  | { name: "start" }
  | { name: "reading"; request: ReadRequest; progress: Progress }
  | { name: "result"; request: ReadRequest; extraction: Extraction };

export function DocumentView() {
  const [stage, setStage] = useState<Stage>({ name: "start" });
  const [fault, setFault] = useState("");
  const abort = useRef<AbortController | null>(null);

  async function read(request: ReadRequest) {
    const control = new AbortController();
    abort.current = control;
    setFault("");
    let pages: Page[] = [];
    let answer = "";
    let tokens = 0;
    let frame = 0;
    const began = performance.now();
    const show = () => {
      frame = 0;
      if (!control.signal.aborted)
        setStage({ name: "reading", request, progress: { pages, answer, tokens, began } });
    };
    const soon = () => {
      if (!frame) frame = requestAnimationFrame(show);
    };
    show();
    try {
      const extraction = await readDocument(
        request,
        {
          page: (page) => ((pages = [...pages, page]), soon()),
          token: (text) => ((answer += text), ++tokens, soon()),
        },
        control.signal,
      );
      cancelAnimationFrame(frame);
      setStage({ name: "result", request, extraction: withPages(extraction, pages) });
      const { values, flagged } = extraction.summary;
      announce(t("doc.done", { kind: kindName(extraction.kind), n: values, flagged }));
    } catch (error) {
      cancelAnimationFrame(frame);
      control.abort();
      setStage({ name: "start" });
      if ((error as Error).name === "AbortError") announce(t("doc.stopped"));
      else setFault(describe(error));
    }
  }

  switch (stage.name) {
    case "start":
      return <StartForm fault={fault} onRead={(request) => void read(request)} />;
    case "reading":
      return <Reading request={stage.request} progress={stage.progress} onStop={() => abort.current?.abort()} />;
    case "result":
      return (
        <Result
          request={stage.request}
          extraction={stage.extraction}
          onAnother={() => {
            setFault("");
            setStage({ name: "start" });
          }}
        />
      );
  }
}

/** Pictures that came while the model read need not come again with the result. */
function withPages(extraction: Extraction, seen: Page[]): Extraction {
  const pages = extraction.pages.map((page, i) => ({ ...page, image: page.image ?? seen[i]?.image }));
  return { ...extraction, pages };
}
