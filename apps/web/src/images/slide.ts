// Which files are a whole slide, and a slide as a study of one picture.
import { ApiError } from "../api";
import { has } from "../server";
import { t } from "../text";
import { noEdges } from "./planes";
import { sendSlide, SlideTiles, type SlideJson } from "./slide_tiles";
import type { Study } from "./study";

const makers = /\.(svs|ndpi|scn|bif)$/i;
const perhaps = /\.tiff?$/i;
const HEAD = 4096;
const WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"; // VL Whole Slide Microscopy Image Storage

async function isDicomSlide(file: File): Promise<boolean> {
  const head = new TextDecoder("latin1").decode(await file.slice(0, HEAD).arrayBuffer());
  return head.slice(128, 132) === "DICM" && new RegExp(`${WHOLE_SLIDE.replace(/\./g, "\\.")}(?![.\\d])`).test(head);
}

type Kind = "slide" | "perhaps" | "no";

/** "perhaps": a TIFF, which the server tells by its tiles. */
async function kindOf(files: File[]): Promise<Kind> {
  if (!has("/slides")) return "no";
  if (files.length === 1 && makers.test(files[0]!.name)) return "slide";
  if (files.length === 1 && perhaps.test(files[0]!.name)) return "perhaps";
  for (const file of files) if (!(await isDicomSlide(file))) return "no";
  return "slide";
}

function titleOf({ format, objective_power }: SlideJson): string {
  return objective_power ? t("img.slide_power", { format, n: objective_power }) : t("img.slide", { format });
}

function studyOf(info: SlideJson, files: File[]): Study {
  const mm = info.um_per_pixel === null ? null : info.um_per_pixel / 1000;
  return {
    patient: null,
    warnings: info.warnings,
    series: [
      {
        title: titleOf(info),
        modality: "SM",
        number: null,
        normal: null,
        range: [0, 255],
        notes: [],
        cut: false,
        plane: null,
        edges: noEdges,
        head: 0,
        slices: [
          {
            file: files[0]!,
            framesOfFile: 1,
            kind: "slide",
            tiles: new SlideTiles(info, files),
            rows: info.height,
            columns: info.width,
            channels: 3,
            values: new Uint8Array(0),
            slope: 1,
            intercept: 0,
            unit: "",
            inverted: false,
            windows: [],
            tables: [],
            range: [0, 255],
            spacing: mm === null ? null : [mm, mm],
            spacingSource: info.um_source === "objective" ? "objective" : "",
            thickness: null,
            lossy: false,
            location: null,
            timePoint: 0,
            frame: 0,
          },
        ],
      },
    ],
  };
}

/** The files as a slide; null: they are none. */
export async function readSlide(files: File[], signal: AbortSignal): Promise<Study | null> {
  const kind = await kindOf(files);
  if (kind === "no") return null;
  try {
    return studyOf(await sendSlide(files, signal), files);
  } catch (error) {
    if (kind === "perhaps" && error instanceof ApiError && error.status === 400) return null;
    throw error;
  }
}
