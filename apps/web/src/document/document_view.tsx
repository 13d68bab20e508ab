// From files to reviewed values: choose, read, review.
import { useRef, useState } from "preact/hooks";
import { announce } from "../announce";
import { describe } from "../parts";
import { t } from "../text";
import { kindName, type Extraction } from "./extraction";
import { readDocument, type Progress, type ReadRequest } from "./read";
import { Reading } from "./reading";
import { Result } from "./result";
import { StartForm } from "./start_form";

type Stage =
  | { name: "start" }
  | { name: "reading"; request: ReadRequest; progress: Progress | null; began: number }
  | { name: "result"; request: ReadRequest; extraction: Extraction };

export function DocumentView() {
  const [stage, setStage] = useState<Stage>({ name: "start" });
  const [fault, setFault] = useState("");
  const abort = useRef<AbortController | null>(null);

  async function read(request: ReadRequest) {
    const control = new AbortController();
    abort.current = control;
    setFault("");
    let progress: Progress | null = null;
    let frame = 0;
    const began = performance.now();
    const show = () => {
      frame = 0;
      if (!control.signal.aborted) setStage({ name: "reading", request, progress, began });
    };
    show();
    try {
      const seen = (now: Progress) => {
        progress = now;
        // At most once a frame, however fast tokens come.
        if (!frame) frame = requestAnimationFrame(show);
      };
      const extraction = await readDocument(request, seen, control.signal);
      cancelAnimationFrame(frame);
      setStage({ name: "result", request, extraction });
      const { values, flagged } = extraction.summary;
      announce(t("doc.done", { kind: kindName(extraction.kind), n: values, flagged }));
    } catch (error) {
      cancelAnimationFrame(frame);
      setStage({ name: "start" });
      if ((error as Error).name === "AbortError") announce(t("doc.stopped"));
      else setFault(describe(error));
    }
  }

  const startAgain = () => {
    setFault("");
    setStage({ name: "start" });
  };
  switch (stage.name) {
    case "start":
      return <StartForm fault={fault} onRead={(request) => void read(request)} />;
    case "reading":
      return <Reading {...stage} onStop={() => abort.current?.abort()} />;
    case "result":
      return <Result request={stage.request} extraction={stage.extraction} onAnother={startAgain} />;
  }
}
