// What checks of the view of images share.
import assert from "node:assert/strict";
import { dicom, ramp } from "./dicom.mjs";
import { openPage } from "./page.mjs";

export const READS = /willReadFrequently/; // Chromium's advice to these checks, which read the canvas
export const PICTURES = "What the model would see";

export async function openImages({ server, browser }, files, options) {
  const page = await openPage(browser, new URL("/#/images", server.url).href, options);
  await page.getByRole("heading", { name: "Images" }).waitFor();
  await page.evaluate(() => {
    // RGB of RGBA, in base64.
    window.rgbOf = (data) => {
      const parts = [];
      for (let i = 0; i < data.length; i += 4 * 3000) {
        const piece = data.subarray(i, i + 4 * 3000).filter((_, k) => k % 4 < 3);
        parts.push(btoa(String.fromCharCode(...piece)));
      }
      return parts.join("");
    };
  });
  if (files) await choose(page, files);
  return page;
}

export async function choose(page, files) {
  await page.locator(".images input[type=file]").first().setInputFiles(files);
}

export const named = (name, buffer) => ({ name, mimeType: "application/dicom", buffer });
export const stage = (page, i = 0) => page.locator(".stage").nth(i);

/** What the canvas shows of the picture, which is what is not transparent. Only at 1:1 are these its own pixels. */
export const shown = (page, i = 0) =>
  stage(page, i).evaluate((node) => {
    const canvas = node.querySelector("canvas");
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    let [left, top, right, bottom] = [width, height, -1, -1];
    for (let y = 0; y < height; ++y)
      for (let x = 0; x < width; ++x) {
        if (!data[4 * (y * width + x) + 3]) continue;
        [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
      }
    const [columns, rows] = [right - left + 1, bottom - top + 1];
    const cut = canvas.getContext("2d").getImageData(left, top, columns, rows).data;
    return { left, top, columns, rows, pixels: window.rgbOf(cut) };
  });

export const bytesOf = (base64) => Buffer.from(base64, "base64");

export function expectPixels(base64, wanted, what) {
  const got = bytesOf(base64);
  if (got.equals(wanted)) return;
  const at = wanted.findIndex((x, i) => x !== got[i]);
  assert.fail(`${what}: ${got.length} bytes, ${wanted.length} wanted; byte ${at} is ${got[at]}, not ${wanted[at]}`);
}

/** The picture that /look gives of the file: what a model sees. */
export async function looked(page, server, file, fields) {
  const form = new FormData();
  form.append("file", new Blob([file.buffer]), file.name);
  for (const [name, value] of Object.entries({ recipe: "image", ...fields })) form.append(name, String(value));
  const response = await fetch(new URL("/look", server.url), { method: "POST", body: form });
  const { images } = await response.json();
  return pixelsOf(page, images[0].png);
}

export const pixelsOf = (page, png) =>
  page.evaluate(async (png) => {
    const image = new Image();
    image.src = png;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return window.rgbOf(context.getImageData(0, 0, image.width, image.height).data);
  }, png).then(bytesOf);

export const stack = (count, step, more = {}) =>
  Array.from({ length: count }, (_, k) =>
    named(`${more.series ?? ""}${k}.dcm`, dicom({ rows: 32, columns: 32, pixels: ramp(32, 32, k), number: k + 1, position: k * step, spacing: [1, 1], ...more })),
  );
