import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button } from "../parts";
import { t } from "../text";
import type { Image } from "./completion";
import { draft } from "./draft";

const readable = /^image\/(png|jpeg|webp|tiff|gif|bmp)$/;

const dataUrl = (file: File): Promise<string> =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });

interface Props {
  model: string;
  sees: boolean;
  busy: boolean;
  onSend: (text: string, images: Image[]) => void;
  onStop: () => void;
}

export function Composer({ model, sees, busy, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const [images, setImages] = useState<Image[]>([]);
  const [fault, setFault] = useState("");
  const [over, setOver] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const can = !busy && model !== "" && (text.trim() !== "" || images.length > 0) && (sees || !images.length);

  const brought = draft.use().images;
  useEffect(() => {
    if (!brought.length) return;
    setImages((old) => [...old, ...brought]);
    draft.set({ images: [] });
    area.current?.focus();
  }, [brought]);

  async function add(list: Iterable<File>) {
    setFault("");
    for (const file of list) {
      if (!readable.test(file.type)) {
        setFault(t("chat.not_image", { name: file.name }));
        continue;
      }
      const url = await dataUrl(file);
      setImages((old) => [...old, { name: file.name, url }]);
    }
  }

  function send() {
    if (!can) return;
    onSend(text.trim(), images);
    setText("");
    setImages([]);
    setFault("");
    area.current?.focus();
  }

  return (
    <form
      class={`composer ${over ? "over" : ""}`}
      onSubmit={(e) => (e.preventDefault(), send())}
      onDragOver={(e) => (e.preventDefault(), setOver(true))}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => (e.preventDefault(), setOver(false), void add(e.dataTransfer?.files ?? []))}
    >
      {images.length > 0 && (
        <ul class="thumbs">
          {images.map((image, i) => (
            <li key={i}>
              <img src={image.url} alt={image.name || t("chat.image_of", { n: i + 1 })} />
              <Button
                icon="close"
                label={t("common.remove", { name: image.name || t("chat.image_of", { n: i + 1 }) })}
                onClick={() => setImages(images.filter((_, j) => j !== i))}
              />
            </li>
          ))}
        </ul>
      )}
      {images.length > 0 && !sees && (
        <p class="fault" role="alert">
          <Icon name="flag" /> {t("chat.no_images", { model })}
        </p>
      )}
      {fault && (
        <p class="fault" role="alert">
          <Icon name="flag" /> {fault}
        </p>
      )}
      <textarea
        ref={area}
        rows={2}
        aria-label={t("chat.message")}
        aria-describedby="chat-hint"
        placeholder={t("chat.placeholder")}
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
        onPaste={(e) => {
          const files = [...(e.clipboardData?.files ?? [])];
          if (files.length) (e.preventDefault(), void add(files));
        }}
        onKeyDown={(e) => {
          // Enter ends a word of an input method, too.
          if (e.key === "Enter" && !e.shiftKey && !e.isComposing) (e.preventDefault(), send());
        }}
      />
      <div class="row">
        <Button
          kind="quiet"
          icon="image"
          label={sees ? t("chat.attach") : t("chat.no_images", { model })}
          disabled={!sees}
          onClick={() => input.current?.click()}
        />
        <input
          ref={input}
          type="file"
          accept="image/*"
          multiple
          hidden
          aria-label={t("chat.attach")}
          onChange={(e) => {
            void add(e.currentTarget.files ?? []);
            e.currentTarget.value = "";
          }}
        />
        <span class="quiet small gap" id="chat-hint">
          {t("chat.hint")}
        </span>
        {busy ? (
          <Button kind="primary" icon="stop" label={t("chat.stop")} onClick={onStop}>
            {t("chat.stop")}
          </Button>
        ) : (
          <button class="button primary" type="submit" disabled={!can}>
            <Icon name="send" />
            <span>{t("chat.send")}</span>
          </button>
        )}
      </div>
    </form>
  );
}
