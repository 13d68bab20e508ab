// Images: windows, slices, measurements, questions.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { dicom, ramp, zip } from "./dicom.mjs";
import { bytesOf, choose, expectPixels, looked, named, openImages, pixelsOf, READS, shown, stage, stack, PICTURES } from "./images_page.mjs";
import { expectAccessible, ROOT, scratch } from "./page.mjs";

const RETINA = path.join(ROOT, "examples/images/retina.jpg");
const FRAMES_PER_SECOND = 30;
const SLICES = 300;
const SIDE = 512;

// PS3.3 C.11.2.1.2.1, C.11.2.1.3.1 and C.11.2.1.3.2, written anew.
const shares = {
  linear: (x, c, w) => (x <= c - 0.5 - (w - 1) / 2 ? 0 : x > c - 0.5 + (w - 1) / 2 ? 1 : (x - (c - 0.5)) / (w - 1) + 0.5),
  sigmoid: (x, c, w) => 1 / (1 + Math.exp((-4 * (x - c)) / w)),
  exact: (x, c, w) => (x <= c - w / 2 ? 0 : x > c + w / 2 ? 1 : (x - c) / w + 0.5),
};
function windowed(stored, center, width, { slope = 1, intercept = -1024, inverted = false, by = "linear" } = {}) {
  const greys = [...stored].flatMap((s) => {
    const grey = Math.floor(shares[by](s * slope + intercept, center, width) * 255 + 0.5);
    return Array(3).fill(inverted ? 255 - grey : grey);
  });
  return Buffer.from(greys);
}

export async function a_window_changes_pixels_as_computed({ server, browser }) {
  const [rows, columns] = [40, 60];
  const pixels = ramp(rows, columns);
  const file = named("slice.dcm", dicom({ rows, columns, pixels, windows: [[40, 80], [300, 2000]] }));
  const page = await openImages({ server, browser }, file);
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  const expectWindow = async (center, width, inverted = false) => {
    const seen = await shown(page);
    assert.deepEqual([seen.columns, seen.rows], [columns, rows]);
    expectPixels(seen.pixels, windowed(pixels, center, width, { inverted }), `window ${center} / ${width}`);
    return seen.pixels;
  };
  const own = await expectWindow(40, 80);
  expectPixels(own, await looked(page, server, file, {}), "what galen shows of the file");
  await page.locator("#img-0-window").selectOption({ label: "The file's: 300 / 2,000" });
  await expectWindow(300, 2000);
  for (const [name, center, width] of [["Brain", 40, 80], ["Lung", -600, 1500], ["Bone", 400, 1800], ["Abdomen", 40, 400]]) {
    await page.locator("#img-0-window").selectOption({ label: `${name} (${center} / ${width})` });
    const seen = await expectWindow(center, width);
    expectPixels(seen, await looked(page, server, file, { window_center: center, window_width: width }), "what a model sees in this window");
  }
  // By hand: typed, and dragged.
  await page.getByLabel("Centre").fill("-100");
  await page.getByLabel("Width").fill("500");
  await page.keyboard.press("Tab");
  await expectWindow(-100, 500);
  const box = await stage(page).boundingBox();
  await page.mouse.move(box.x + 200, box.y + 150);
  await page.mouse.down();
  await page.mouse.move(box.x + 240, box.y + 110, { steps: 4 });
  await page.mouse.up();
  const [center, width] = [await page.getByLabel("Centre").inputValue(), await page.getByLabel("Width").inputValue()].map(Number);
  assert.ok(width > 500 && center < -100, `dragging gave ${center} / ${width}`);
  await expectWindow(center, width);
  await page.getByRole("button", { name: "Invert" }).click();
  await expectWindow(center, width, true);
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  await expectWindow(40, 80);
  // The value under the pointer is the file's.
  const at = await shown(page);
  const placed = await stage(page).boundingBox();
  await page.mouse.move(placed.x + at.left + 10.5, placed.y + at.top + 3.5);
  await page.getByText(`Column 11, row 4: ${(pixels[3 * columns + 10] - 1024).toLocaleString("en")} HU`).waitFor();
  page.expectNoFaults(READS);
}

export async function windows_that_are_no_lines_of_whole_numbers_are_kept({ server, browser }) {
  const [rows, columns] = [40, 60];
  const pixels = Int16Array.from(ramp(rows, columns), (x) => x + 100);
  const scaled = { slope: 0.0002, intercept: 0 }; // 0 to 0.6
  const make = (more) => named("m.dcm", dicom({ rows, columns, pixels, modality: "PT", ...scaled, ...more }));
  const page = await openImages({ server, browser }, make({}));
  const drag = async (x, y) => {
    const box = await stage(page).boundingBox();
    await page.mouse.move(box.x + 200, box.y + 150);
    await page.mouse.down();
    await page.mouse.move(box.x + 200 + x, box.y + 150 + y, { steps: 4 });
    await page.mouse.up();
    return Promise.all(["Centre", "Width"].map(async (name) => Number(await page.getByLabel(name).inputValue())));
  };
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  expectPixels((await shown(page)).pixels, await looked(page, server, make({}), {}), "all values");
  const [center, width] = await drag(-40, 20);
  assert.ok(width > 0.4 && width < 0.6 && center > 0.3 && center < 0.4, `dragging gave ${center} / ${width}`);
  expectPixels((await shown(page)).pixels, windowed(pixels, center, width, { ...scaled, by: "exact" }), "dragged");
  await page.getByLabel("Width").fill("0.05");
  await page.getByLabel("Centre").fill("0.125");
  await page.keyboard.press("Tab");
  const typed = (await shown(page)).pixels;
  expectPixels(typed, windowed(pixels, 0.125, 0.05, { ...scaled, by: "exact" }), "typed");
  // The model gets what is shown.
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByLabel("With the window shown here").check();
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  const seen = page.getByRole("list", { name: PICTURES }).getByRole("img").first();
  const got = await pixelsOf(page, await seen.getAttribute("src"));
  assert.equal(got.length, bytesOf(typed).length);
  const apart = bytesOf(typed).reduce((most, x, i) => Math.max(most, Math.abs(x - got[i])), 0);
  assert.ok(apart <= 1, `what the model would see is ${apart} greys apart`); // rounded by another formula
  // A sigmoid stays one.
  await page.getByRole("button", { name: "Close the study" }).click();
  await choose(page, make({ slope: 1, windows: [[1500, 800]], windowFunction: "SIGMOID" }));
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  const [middle, wide] = await drag(40, 40);
  assert.ok(wide > 800 && middle > 1500, `dragging gave ${middle} / ${wide}`);
  expectPixels((await shown(page)).pixels, windowed(pixels, middle, wide, { intercept: 0, by: "sigmoid" }), "a sigmoid, dragged");
  assert.equal(await page.getByLabel("With the window shown here").count(), 0, "the server takes no sigmoid");
  page.expectNoFaults(READS);
}

export async function other_pictures_are_shown_as_galen_sees_them({ server, browser }) {
  const [rows, columns] = [30, 50];
  const negative = named("x.dcm", dicom({ rows, columns, pixels: ramp(rows, columns), modality: "DX", photometric: "MONOCHROME1", intercept: 0 }));
  const page = await openImages({ server, browser }, negative);
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  expectPixels((await shown(page)).pixels, await looked(page, server, negative, {}), "MONOCHROME1, no window");
  assert.equal(await page.locator("#img-0-window option").filter({ hasText: "Lung" }).count(), 0, "no windows of CT for other values");
  await page.getByRole("button", { name: "Close the study" }).click();
  const photo = { name: "retina.jpg", mimeType: "image/jpeg", buffer: readFileSync(RETINA) };
  await choose(page, photo);
  await stage(page).waitFor();
  const wanted = await looked(page, server, photo, {});
  const [width, height] = (await page.getByText(/^\d+ × \d+ pixels/).innerText()).match(/\d+/g).map(Number);
  assert.equal(wanted.length, 3 * width * height);
  await page.setViewportSize({ width: width + 420, height: height + 400 });
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  expectPixels((await shown(page)).pixels, wanted, "a photograph");
  page.expectNoFaults(READS);
}

export async function lengths_and_angles_are_right({ server, browser }) {
  const [rows, columns] = [80, 120];
  const pixels = ramp(rows, columns);
  const make = (more) => named("m.dcm", dicom({ rows, columns, pixels, ...more }));
  // Rows 0.5 mm apart, columns 0.25 mm: the picture is twice as high as it is wide in pixels.
  const page = await openImages({ server, browser }, make({ spacing: [0.5, 0.25] }));
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  const measured = page.getByRole("list", { name: "Measurements" }).getByRole("listitem");
  const corner = async () => {
    const [box, at] = [await stage(page).boundingBox(), await shown(page)];
    return { x: box.x + at.left, y: box.y + at.top, down: at.rows / rows };
  };
  const click = async (x, y) => {
    const c = await corner();
    await page.mouse.click(c.x + x, c.y + y * c.down);
  };
  await page.getByText("Length", { exact: true }).click();
  await click(10, 10);
  await click(50, 40); // 40 * 0.25 = 10 mm across, 30 * 0.5 = 15 mm down
  await measured.filter({ hasText: "Length: 18.0 mm" }).waitFor();
  assert.equal(await measured.first().innerText(), "Length: 18.0 mm");
  assert.equal(await stage(page).locator("svg text").first().textContent(), "18.0 mm");
  // Drawn in one movement.
  const c = await corner();
  await page.mouse.move(c.x + 20, c.y + 20 * c.down);
  await page.mouse.down();
  await page.mouse.move(c.x + 20, c.y + 60 * c.down, { steps: 5 });
  await page.mouse.up();
  await measured.filter({ hasText: "Length: 20.0 mm" }).waitFor();
  await page.getByText("Angle", { exact: true }).click();
  for (const [x, y] of [[60, 10], [20, 10], [60, 30]]) await click(x, y); // 10 mm across and 10 mm down from the second: 45 degrees
  await measured.filter({ hasText: "Angle: 45.0°" }).waitFor();
  await page.getByRole("button", { name: "Remove Length: 18.0 mm" }).click();
  assert.equal(await measured.count(), 2);
  for (const [more, text] of [
    [{ imagerSpacing: [0.5, 0.25] }, "Length: 10.0 mm at the detector's plane"],
    [{}, "Length: 40 pixels"],
  ]) {
    await page.getByRole("button", { name: "Close the study" }).click();
    await choose(page, make(more));
    await stage(page).waitFor();
    // By the keyboard alone.
    await page.getByRole("radio", { name: "Length" }).focus();
    await page.keyboard.press("Space");
    await stage(page).focus();
    await page.keyboard.press("ArrowRight"); // the cross comes
    await page.keyboard.press("Enter");
    for (let i = 0; i < 4; ++i) await page.keyboard.press("Shift+ArrowRight");
    await page.keyboard.press("Enter");
    await measured.filter({ hasText: text }).waitFor();
    assert.equal(await measured.innerText(), text);
  }
  await page.getByText("distances of pixels unknown").waitFor();
  page.expectNoFaults(READS);
}

// Slice k of SLICES lies at k mm; every pixel of its first row is 2 k.
function writeSeries(folder) {
  mkdirSync(folder, { recursive: true });
  const pixels = ramp(SIDE, SIDE);
  const files = [];
  for (let k = 0; k < SLICES; ++k) {
    pixels.fill(2 * k, 0, SIDE);
    pixels.copyWithin(SIDE * 100, SIDE * (101 + (k % 50)), SIDE * (301 + (k % 50)));
    const file = path.join(folder, `${(k * 7) % SLICES}.dcm`); // names say nothing of the order
    writeFileSync(file, dicom({ rows: SIDE, columns: SIDE, pixels, number: k + 1, position: k, spacing: [0.7, 0.7] }));
    files.push(file);
  }
  return files;
}

export async function three_hundred_slices_scroll({ server, browser }) {
  const page = await openImages({ server, browser }, writeSeries(path.join(scratch, "ct")));
  await page.getByRole("progressbar", { name: /Opening/ }).waitFor();
  await stage(page).waitFor();
  await page.getByText(`Slice 150 of ${SLICES}`).waitFor();
  // One turn of the wheel for each frame that the browser shows, down to the last slice and up again.
  const seconds = await page.evaluate(async (turns) => {
    const node = document.querySelector(".stage");
    const frame = () => new Promise(requestAnimationFrame);
    node.focus();
    node.dispatchEvent(new KeyboardEvent("keydown", { key: "Home", bubbles: true }));
    await frame();
    const seen = new Set();
    const began = performance.now();
    for (let i = 1; i < turns; ++i) {
      node.dispatchEvent(new WheelEvent("wheel", { deltaY: 100, bubbles: true, cancelable: true }));
      await frame();
      seen.add(node.getAttribute("aria-label"));
    }
    await frame();
    seen.add(node.getAttribute("aria-label"));
    if (seen.size < turns - 1) throw new Error(`${seen.size} slices were shown`);
    return (performance.now() - began) / 1000;
  }, SLICES);
  const rate = SLICES / seconds;
  console.log(`  ${SLICES} slices of ${SIDE} x ${SIDE}: ${rate.toFixed(0)} frames/s`);
  assert.ok(rate >= FRAMES_PER_SECOND, `${rate.toFixed(1)} frames/s`);
  await page.getByText(`Slice ${SLICES} of ${SLICES}`).waitFor();
  const firstRow = () =>
    stage(page).evaluate((node, half) => {
      const canvas = node.querySelector("canvas");
      const { data } = canvas.getContext("2d").getImageData(Math.floor(canvas.width / 2), Math.round(canvas.height / 2 - half), 1, 1);
      return data[0];
    }, SIDE / 2);
  await page.setViewportSize({ width: 1360, height: 1000 });
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  await page.getByLabel("Centre").fill("-724");
  await page.getByLabel("Width").fill("601");
  for (const [key, k] of [["End", 299], ["Home", 0], ["PageDown", 10], ["ArrowDown", 11], ["ArrowUp", 10]]) {
    await stage(page).press(key);
    await page.getByText(`Slice ${k + 1} of ${SLICES}`).waitFor();
    assert.equal(await firstRow(), windowed([2 * k], -724, 601, { by: "exact" })[0], `slice ${k + 1} is the one at ${k} mm`);
  }
  const slider = page.getByRole("slider", { name: "Slice" });
  await slider.fill("200");
  await page.getByText(`Slice 200 of ${SLICES}`).waitFor();
  assert.equal(await slider.getAttribute("aria-valuetext"), `Slice 200 of ${SLICES}`);
  page.expectNoFaults(READS);
}

export async function two_studies_scroll_together({ server, browser }) {
  const page = await openImages({ server, browser }, stack(10, 5, { series: "1.2.3.5" }));
  await page.getByText("Slice 5 of 10").waitFor();
  await page.getByRole("button", { name: "Study beside it" }).click();
  await choose(page, stack(30, 2.5, { series: "1.2.3.6" }));
  const [left, right] = [page.getByRole("region", { name: "Left picture" }), page.getByRole("region", { name: "Right picture" })];
  await right.getByText("Slice 15 of 30").waitFor();
  await stage(page, 0).press("ArrowDown");
  await left.getByText("Slice 6 of 10").waitFor();
  await right.getByText("Slice 15 of 30").waitFor(); // each by itself
  await page.getByRole("button", { name: "Scroll together" }).click();
  await stage(page, 0).press("ArrowDown");
  await left.getByText("Slice 7 of 10").waitFor();
  await right.getByText("Slice 17 of 30").waitFor(); // 5 mm are two slices
  await stage(page, 1).press("Home");
  await left.getByText("Slice 1 of 10").waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `two studies, ${design}`);
  }
  assert.equal(await page.getByText("different patients").count(), 0);
  await right.getByRole("button", { name: "Close the study" }).click();
  await page.getByRole("button", { name: "Study beside it" }).click();
  await choose(page, stack(3, 5, { series: "1.2.3.7", patient: "B" }));
  await page.getByRole("alert").getByText("These two studies are of different patients").waitFor();
  page.expectNoFaults(READS);
}

// An answer with a box, in the form that the server's have (tests/cases/server).
function answered(text, label) {
  const result = {
    text,
    model: "seeing",
    media: { recipe: { name: "localise", version: "1", official: true }, images: [{}], facts: [], warnings: [], digest: "" },
    finish_reason: "stop",
    usage: { prompt_tokens: 9, completion_tokens: 3 },
    timings: { decode_tokens_per_s: 10 },
    boxes: { source: "1.dcm", width: 32, height: 32, boxes: [{ label, box: [4, 8, 12, 24] }], warnings: [] },
  };
  return { contentType: "text/event-stream", body: `event: result\ndata: ${JSON.stringify(result)}\n\n` };
}

export async function a_study_that_is_closed_leaves_the_other_its_own({ server, browser }) {
  const page = await openImages({ server, browser }, stack(4, 5, { series: "1.2.3.5" }));
  await page.getByText("Slice 2 of 4").waitFor();
  const asked = []; // those that wait for their answer
  await page.route("**/analyze", (route) => asked.push(route));
  const ask = async (text) => {
    const before = asked.length;
    const form = page.locator(".ask:not([hidden])");
    await form.locator("select").first().selectOption("seeing");
    await form.getByLabel("Question about the picture").fill(text);
    await form.getByRole("button", { name: "Ask", exact: true }).click();
    while (asked.length === before) await page.waitForTimeout(20);
    return asked[before];
  };
  const answers = page.locator(".ask .message-of");
  const close = (side) => page.getByRole("region", { name: side }).getByRole("button", { name: "Close the study" }).click();
  await (await ask("About the left?")).fulfill(answered("Of the left", "left"));
  await answers.getByText("Of the left", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Study beside it" }).click();
  await choose(page, stack(6, 5, { series: "1.2.3.6" }));
  await page.getByText("Slice 3 of 6").waitFor();
  await (await ask("About the right?")).fulfill(answered("Of the right", "right"));
  await answers.getByText("Of the right", { exact: true }).waitFor();
  await stage(page, 0).focus();
  await page.getByRole("heading", { name: "Ask about: Left picture" }).waitFor();
  const late = await ask("And now?");
  await close("Left picture");
  await page.getByRole("region", { name: "Picture", exact: true }).getByText("Slice 3 of 6").waitFor();
  await late.fulfill(answered("Too late", "late")).catch(() => {}); // it was stopped
  await page.getByRole("heading", { name: "Ask about the picture" }).waitFor();
  assert.deepEqual(await answers.locator(".markdown, p").first().allInnerTexts(), ["Of the right"]);
  assert.equal(await page.getByLabel("Question about the picture").inputValue(), "About the right?");
  assert.deepEqual(await stage(page).locator(".found text").allTextContents(), ["right"]);
  // One that is still being opened: nothing comes of it, and the one beside it goes on.
  const opened = [];
  await page.route("**/pixels", (route) => opened.push(route));
  const opens = async (files) => {
    const before = opened.length;
    await choose(page, files);
    while (opened.length === before) await page.waitForTimeout(20);
    return opened[before];
  };
  await page.getByRole("button", { name: "Study beside it" }).click();
  const right = await opens(stack(8, 5, { series: "1.2.3.7" }));
  await close("Left picture");
  await page.getByRole("progressbar", { name: /Opening/ }).waitFor();
  await right.continue();
  await page.getByText("Slice 4 of 8").waitFor();
  await page.getByRole("button", { name: "Study beside it" }).click();
  const closed = await opens(stack(2, 5, { series: "1.2.3.8" }));
  await close("Right picture");
  await closed.continue().catch(() => {});
  await page.getByRole("region", { name: "Picture", exact: true }).getByText("Slice 4 of 8").waitFor();
  assert.equal(await page.locator(".ask:not([hidden])").count(), 1);
  page.expectNoFaults(READS);
}

export async function the_series_that_is_shown_is_asked_about({ server, browser }) {
  const archive = (more) => ({
    name: "both.zip",
    mimeType: "application/zip",
    buffer: zip([...stack(5, 5, { series: "1.2.3.5" }), ...stack(3, 5, { series: "1.2.3.6", ...more })]),
  });
  const page = await openImages({ server, browser }, archive({ seriesNumber: 2, modality: "MR" }));
  const look = () => page.getByRole("button", { name: PICTURES, exact: true }).click();
  const ofWhole = async () => {
    await page.getByText("Slice 3 of 5").waitFor();
    await page.locator("#img-0-series").selectOption({ index: 1 });
    await page.getByText("Slice 2 of 3").waitFor();
    await page.locator("#img-0-model").selectOption("seeing");
    await page.locator("#img-0-scope").selectOption("series");
    await look();
  };
  await ofWhole();
  await page.getByRole("heading", { name: `${PICTURES}: 3` }).waitFor();
  await page.getByText("Recipe mr 1").waitFor();
  // Where no number tells it from the other, no other is taken for it; a slice goes as its picture.
  await page.getByRole("button", { name: "Close the study" }).click();
  await choose(page, archive({ seriesNumber: 1 }));
  await ofWhole();
  await page.getByRole("alert").getByText("no number tells this one from the others").waitFor();
  await page.locator("#img-0-scope").selectOption("slice");
  await look();
  await page.getByRole("heading", { name: `${PICTURES}: 1` }).waitFor();
  await page.locator(".seen").getByText("picture.png").waitFor();
  page.expectNoFaults(READS);
}

export async function what_is_no_image_is_said({ server, browser }) {
  const page = await openImages({ server, browser });
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `images, ${design}`);
  }
  const alert = page.getByRole("alert");
  const slice = stack(1, 1)[0];
  for (const [file, text] of [
    [named("letter.dcm", Buffer.from("no image at all")), /letter\.dcm/],
    [named("cut.dcm", slice.buffer.subarray(0, 700)), /cut\.dcm/],
    [{ name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("words") }, /notes\.txt/],
    [path.join(ROOT, "examples/documents/lab_report.pdf"), /lab_report\.pdf is a PDF/],
  ]) {
    await choose(page, file);
    await alert.getByText(text).waitFor();
  }
  await choose(page, [...stack(2, 1), ...stack(2, 1, { series: "1.2.3.8", patient: "B" })]);
  await alert.getByText("2 patients").waitFor();
  // Beside images, what is none is a note.
  await choose(page, [...stack(3, 1, { patient: "Mustermann" }), { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("words") }]);
  await page.getByText("Slice 2 of 3").waitFor();
  await page.getByText(/^Notes on these files/).click();
  await page.locator(".notes").getByText(/notes\.txt/).waitFor();
  assert.doesNotMatch(await page.locator("body").innerText(), /Mustermann/, "who it is of stays unsaid");
  page.expectNoFaults(/status of 400|willReadFrequently/);
}

export async function questions_about_images_are_answered({ server, browser }) {
  const page = await openImages({ server, browser }, stack(4, 5));
  await page.locator("#img-0-model").selectOption("words");
  await page.getByText("words does not see images").waitFor();
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByRole("button", { name: "What the model would see" }).click();
  await page.getByText("Recipe ct 1, as published for the model").waitFor();
  const seen = page.getByRole("list", { name: /What the model would see/ }).getByRole("img");
  assert.equal(await seen.count(), 1);
  await page.locator("#img-0-scope").selectOption("series");
  await page.getByRole("button", { name: "What the model would see", exact: true }).click();
  await page.getByRole("heading", { name: "What the model would see: 4" }).waitFor();
  assert.equal(await seen.count(), 4);
  await page.locator("#img-0-recipe").selectOption("image");
  await page.getByLabel("Question about the picture").fill("What is this?");
  const [request] = await Promise.all([
    page.waitForRequest((r) => r.url().endsWith("/analyze")),
    page.getByRole("button", { name: "Ask", exact: true }).click(),
  ]);
  assert.match(request.headers()["content-type"], /^multipart/);
  await page.getByText(/seeing · recipe image 1 · images: 1 · \d+ tokens/).waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `asked, ${design}`);
  }
  // Boxes: random weights name none, so this answer is made here.
  await page.locator("#img-0-recipe").selectOption("localise");
  await page.route("**/analyze", (route) => route.fulfill(answered("Here.", "nodule")));
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByText("nodule: column 4 to 12, row 8 to 24").waitFor();
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  const { left, top } = await shown(page);
  const rect = await stage(page).locator(".found rect").evaluate((node) => ["x", "y", "width", "height"].map((name) => Number(node.getAttribute(name))));
  assert.deepEqual(rect, [left + 4, top + 8, 8, 16]);
  await stage(page).press("ArrowDown");
  assert.equal(await stage(page).locator(".found rect").count(), 0, "boxes stay on their slice");
  await page.getByRole("button", { name: "Take it to the chat" }).click();
  await page.locator(".composer").getByRole("img", { name: "Picture" }).waitFor();
  page.expectNoFaults(READS);
}
