// One page with the boxes of its values. The table says all of it in words, so the boxes are for the eye only.
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../icons";
import { Button } from "../parts";
import { t } from "../text";
import { levelOf, type Extraction, type Value } from "./extraction";

const ZOOM_STEP = 1.25;
const LARGEST = 5;
const MARGIN = 2; // of a box, in units of the page

interface Props {
  extraction: Extraction;
  active: string | null; // path of the value that is looked at
  onHover: (path: string | null) => void;
  onPick: (path: string) => void;
}

export function PageViewer({ extraction, active, onHover, onPick }: Props) {
  const [index, setIndex] = useState(0);
  const [zoom, setZoom] = useState(1);
  const scroller = useRef<HTMLDivElement>(null);
  const activeBox = useRef<SVGRectElement>(null);
  const { pages, values } = extraction;
  const evidence = values.find((v) => v.path === active)?.evidence;
  const target = evidence ? evidence.page - 1 : null;

  useEffect(() => {
    if (target !== null && target !== index) setIndex(target);
  }, [active]);
  // The box into view inside the scroller alone: the page around it stays where it is.
  useEffect(() => {
    const box = activeBox.current?.getBoundingClientRect();
    const frame = scroller.current?.getBoundingClientRect();
    if (!box || !frame) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const away = box.top < frame.top || box.bottom > frame.bottom || box.left < frame.left || box.right > frame.right;
    if (away)
      scroller.current!.scrollBy({
        top: box.top - frame.top - (frame.height - box.height) / 2,
        left: box.left - frame.left - (frame.width - box.width) / 2,
        behavior: calm ? "auto" : "smooth",
      });
  }, [active, index, zoom]);

  const page = pages[index]!;
  const here = values.filter((v) => v.evidence?.page === index + 1);
  return (
    <section class="pages" aria-label={t("page.region")}>
      <div class="bar">
        <Button icon="left" kind="quiet" label={t("page.previous")} disabled={index === 0} onClick={() => setIndex(index - 1)} />
        <span aria-live="polite">{t("page.of", { page: index + 1, n: pages.length })}</span>
        <Button
          icon="right"
          kind="quiet"
          label={t("page.next")}
          disabled={index + 1 >= pages.length}
          onClick={() => setIndex(index + 1)}
        />
        <span class="gap" />
        <Button icon="minus" kind="quiet" label={t("page.out")} disabled={zoom <= 1} onClick={() => setZoom(Math.max(1, zoom / ZOOM_STEP))} />
        <Button icon="fit" kind="quiet" label={t("page.fit")} onClick={() => setZoom(1)} />
        <Button icon="plus" kind="quiet" label={t("page.in")} disabled={zoom >= LARGEST} onClick={() => setZoom(Math.min(LARGEST, zoom * ZOOM_STEP))} />
      </div>
      <div class="scroller" ref={scroller} tabIndex={0} role="group" aria-label={t("page.of", { page: index + 1, n: pages.length })}>
        <div class="paper" style={{ width: `${zoom * 100}%` }}>
          {page.image ? (
            <img src={page.image} alt={t("page.alt", { page: page.page_of_file, file: page.file })} />
          ) : (
            <p class="quiet centre">
              <Icon name="file" /> {t("page.no_picture")}
            </p>
          )}
          <svg class="boxes" viewBox={`0 0 ${page.width} ${page.height}`} preserveAspectRatio="none" aria-hidden="true">
            {here.map((value) => (
              <Box key={value.path} value={value} active={value.path === active} node={activeBox} onHover={onHover} onPick={onPick} />
            ))}
          </svg>
        </div>
      </div>
    </section>
  );
}

interface BoxProps extends Pick<Props, "onHover" | "onPick"> {
  value: Value;
  active: boolean;
  node: { current: SVGRectElement | null };
}

function Box({ value, active, node, onHover, onPick }: BoxProps) {
  const [x0, y0, x1, y1] = value.evidence!.box;
  return (
    <rect
      ref={active ? node : undefined}
      class={`${levelOf(value)} ${active ? "active" : ""}`}
      x={x0 - MARGIN}
      y={y0 - MARGIN}
      width={x1 - x0 + 2 * MARGIN}
      height={y1 - y0 + 2 * MARGIN}
      rx={2}
      onMouseEnter={() => onHover(value.path)}
      onMouseLeave={() => onHover(null)}
      onClick={() => onPick(value.path)}
    />
  );
}
