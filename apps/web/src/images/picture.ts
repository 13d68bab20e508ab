// The slice as it is shown, at its own size: for the chat, and for recipes that take pictures.
import { Painter } from "./grey";
import { seriesOf, sliceOf, type Pane } from "./pane_state";
import { voiOf } from "./windows";

export function pictureOf(pane: Pane): HTMLCanvasElement {
  const slice = sliceOf(pane);
  return new Painter().paint(slice, voiOf(pane.choice, slice, seriesOf(pane)), pane.invert);
}

export function pictureFile(pane: Pane): Promise<File> {
  return new Promise((resolve, reject) =>
    pictureOf(pane).toBlob((blob) => (blob ? resolve(new File([blob], "picture.png", { type: "image/png" })) : reject(new Error("no memory for the picture"))), "image/png"),
  );
}
