// The slice as it is shown, at its own size, or of a whole slide what is looked at: for the chat, and for recipes that take pictures.
import { Painter } from "./grey";
import { seriesOf, sliceOf, type Pane } from "./pane_state";
import { place } from "./viewport";
import { voiOf } from "./windows";

const SEEN = { width: 1024, height: 768 }; // of a whole slide, around the middle of what is looked at

export function pictureOf(pane: Pane): HTMLCanvasElement {
  const slice = sliceOf(pane);
  if (slice.tiles) {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [SEEN.width, SEEN.height];
    slice.tiles.draw(canvas.getContext("2d")!, place(pane.view, slice, SEEN), SEEN, 1);
    return canvas;
  }
  return new Painter().paint(slice, voiOf(pane.choice, slice, seriesOf(pane)), pane.invert);
}

export function pictureFile(pane: Pane): Promise<File> {
  return new Promise((resolve, reject) =>
    pictureOf(pane).toBlob((blob) => (blob ? resolve(new File([blob], "picture.png", { type: "image/png" })) : reject(new Error("no memory for the picture"))), "image/png"),
  );
}
