// Where a study is dropped, and how far it is opened.
import { useRef, useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button, ErrorBox } from "../parts";
import { t } from "../text";
import { filesOf } from "./files";
import type { Progress } from "./study";

interface Props {
  progress: Progress | null; // null: nothing is being opened
  fault: string;
  onFiles: (files: File[]) => void;
  onCancel: () => void;
}

export function Start({ progress, fault, onFiles, onCancel }: Props) {
  const [over, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const chosen = (input: HTMLInputElement) => {
    onFiles([...(input.files ?? [])]);
    input.value = "";
  };
  if (progress)
    return (
      <div class="drop">
        <div class="working" aria-hidden="true" />
        <p class="big" role="status">
          {t("img.opening", { done: progress.done, n: progress.total })}
        </p>
        <progress max={progress.total} value={progress.done} aria-label={t("img.opening", { done: progress.done, n: progress.total })} />
        <Button icon="stop" label={t("common.cancel")} onClick={onCancel}>
          {t("common.cancel")}
        </Button>
      </div>
    );
  return (
    <>
      {fault && <ErrorBox message={fault} />}
      <div
        class={`drop ${over ? "over" : ""}`}
        onDragOver={(e) => (e.preventDefault(), setOver(true))}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault();
          setOver(false);
          void filesOf(e.dataTransfer).then(onFiles);
        }}
      >
        <Icon name="image" />
        <p class="big">{t("img.drop")}</p>
        <div class="row">
          <Button label={t("common.choose")} onClick={() => files.current?.click()}>
            {t("common.choose")}
          </Button>
          <Button label={t("img.choose_folder")} onClick={() => folder.current?.click()}>
            {t("img.choose_folder")}
          </Button>
        </div>
        <input ref={files} type="file" multiple hidden aria-label={t("common.choose")} onChange={(e) => chosen(e.currentTarget)} />
        <input
          ref={(node) => {
            folder.current = node;
            node?.setAttribute("webkitdirectory", "");
          }}
          type="file"
          hidden
          aria-label={t("img.choose_folder")}
          onChange={(e) => chosen(e.currentTarget)}
        />
        <p class="quiet small">{t("img.types")}</p>
      </div>
    </>
  );
}
