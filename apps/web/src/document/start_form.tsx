import { useRef, useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button, chosenReader, ErrorBox, MINI, ModelSelect } from "../parts";
import { has, server } from "../server";
import { bytes, t, type TextKey } from "../text";
import type { ReadRequest } from "./read";

const kinds = [
  "auto", "lab_report", "prescription", "medication_reconciliation", "discharge_summary", "radiology_report",
  "cardiology_consult", "operative_note", "diagnosis", "vitals_flowsheet",
];
const accepted = "application/pdf,image/*,.pdf,.tif,.tiff";

export function StartForm({ fault, onRead }: { fault: string; onRead: (request: ReadRequest) => void }) {
  const [files, setFiles] = useState<File[]>([]);
  const [kind, setKind] = useState("auto");
  const [wanted, setModel] = useState("");
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const { models } = server.use(); // they arrive later, as endpoints do
  const model = chosenReader(wanted, kind);
  const usual = chosenReader("", kind); // what reads where nobody chooses
  const can = has("/extract");

  const add = (list: FileList | null | undefined) => setFiles((old) => [...old, ...(list ?? [])]);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add(event.dataTransfer?.files);
  };

  return (
    <div class="start">
      <h1>{t("doc.title")}</h1>
      <p class="lead">{t("doc.lead")}</p>
      {fault && <ErrorBox message={fault} />}
      {!can && (
        <div class="box note">
          <Icon name="note" />
          <p>{t("doc.unavailable")}</p>
        </div>
      )}
      <div
        class={`drop ${over ? "over" : ""}`}
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <Icon name="upload" />
        <p class="big">{t("doc.drop")}</p>
        <Button label={t("common.choose")} onClick={() => input.current?.click()}>
          {t("common.choose")}
        </Button>
        <input
          ref={input}
          type="file"
          multiple
          accept={accepted}
          hidden
          aria-label={t("common.choose")}
          onChange={(e) => {
            add(e.currentTarget.files);
            e.currentTarget.value = "";
          }}
        />
        <p class="quiet small">{t("doc.types")}</p>
      </div>
      {files.length > 0 && (
        <ol class="files">
          {files.map((file, i) => (
            <li key={`${file.name}-${i}`}>
              <Icon name="file" />
              <span class="name">{file.name}</span>
              <span class="quiet">{bytes(file.size)}</span>
              <Button
                kind="quiet"
                icon="close"
                label={t("common.remove", { name: file.name })}
                onClick={() => setFiles(files.filter((_, j) => j !== i))}
              />
            </li>
          ))}
        </ol>
      )}
      <div class="row">
        <label class="field" for="doc-kind">
          <span>{t("doc.kind")}</span>
          <select id="doc-kind" value={kind} onChange={(e) => setKind(e.currentTarget.value)}>
            {kinds.map((k) => (
              <option key={k} value={k}>
                {t(`doc.kind.${k}` as TextKey)}
              </option>
            ))}
          </select>
        </label>
        <ModelSelect id="doc-model" value={model} onChange={setModel} />
        <Button
          kind="primary"
          icon="file"
          label={t("doc.read")}
          disabled={!files.length || !model || !can}
          onClick={() => onRead({ files, kind, model })}
        >
          {files.length > 1 ? t("doc.read_n", { n: files.length }) : t("doc.read")}
        </Button>
      </div>
      {usual && (
        <p class="quiet small">
          {t(models.length > 1 ? "doc.default_model" : "doc.only_model", { model: usual })} {usual === MINI && t("doc.mini")}
        </p>
      )}
    </div>
  );
}
