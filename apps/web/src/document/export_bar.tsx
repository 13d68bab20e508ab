import { useState } from "preact/hooks";
import { announce } from "../announce";
import { saveFile } from "../api";
import { Icon } from "../icons";
import { Button, describe } from "../parts";
import { t } from "../text";
import type { Extraction } from "./extraction";
import { readFhir, type ReadRequest } from "./read";
import { corrections, reviewedCsv, reviewedJson, type Review } from "./review";

interface Props {
  request: ReadRequest;
  extraction: Extraction;
  review: Review;
  onExported: () => void;
}

export function ExportBar({ request, extraction, review, onExported }: Props) {
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState("");
  const base = (request.files[0]?.name ?? "document").replace(/\.\w+$/, "");

  function save(name: string, type: string, content: string) {
    saveFile(name, type, content);
    announce(t("export.done", { name }));
  }

  async function fhir() {
    const n = corrections(review);
    if (n && !confirm(t("export.fhir_corrected", { n }))) return;
    setBusy(true);
    setFault("");
    try {
      save(`${base}.fhir.json`, "application/fhir+json", await readFhir(request, extraction.kind));
    } catch (error) {
      setFault(describe(error));
    }
    setBusy(false);
  }

  return (
    <div class="export" role="group" aria-label={t("export.title")}>
      <span class="quiet" aria-hidden="true">
        {t("export.title")}
      </span>
      <Button
        label={t("export.json")}
        onClick={() => {
          save(`${base}.json`, "application/json", reviewedJson(extraction, review));
          onExported();
        }}
      >
        {t("export.json")}
      </Button>
      <Button
        label={t("export.csv")}
        onClick={() => {
          save(`${base}.csv`, "text/csv", reviewedCsv(extraction, review));
          onExported();
        }}
      >
        {t("export.csv")}
      </Button>
      <Button label={t("export.fhir")} title={t("export.fhir_title")} disabled={busy} onClick={() => void fhir()}>
        {t("export.fhir")}
      </Button>
      {busy && (
        <span class="quiet small" role="status">
          {t("export.fhir_busy")}
        </span>
      )}
      {fault && (
        <span class="fault" role="alert">
          <Icon name="flag" /> {fault}
        </span>
      )}
    </div>
  );
}
