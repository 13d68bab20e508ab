// Whole slides: tiles, scale, patches.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { choose, openImages, PICTURES, READS, stage } from "./images_page.mjs";
import { slide } from "./other_files.mjs";
import { expectAccessible, ROOT } from "./page.mjs";

const [WIDTH, HEIGHT] = [3000, 2000];
// Blocks of 100 pixels whose colour says where they are.
const colour = (x, y) => [230, (Math.floor(x / 100) * 7) % 256, (Math.floor(y / 100) * 11) % 256];
let made;
const file = (name) => ({ name, mimeType: "image/tiff", buffer: (made ??= slide({ width: WIDTH, height: HEIGHT, shrinks: [1, 4], um: 0.5, colour })) });

/** The colour of the stage `dx`, `dy` from its middle. */
const colourAt = (page, dx, dy) =>
  stage(page).evaluate((node, [dx, dy]) => {
    const canvas = node.querySelector("canvas");
    const dense = canvas.width / node.clientWidth;
    return [...canvas.getContext("2d").getImageData(Math.round(canvas.width / 2 + dx * dense), Math.round(canvas.height / 2 + dy * dense), 1, 1).data.subarray(0, 3)];
  }, [dx, dy]);

/** Where a point of the slide lies from the middle of the stage while the whole slide is seen. */
const ofWhole = (page, x, y) =>
  stage(page).evaluate((node, [x, y, width, height]) => {
    const scale = Math.min(node.clientWidth / width, node.clientHeight / height);
    return [(x - width / 2) * scale, (y - height / 2) * scale];
  }, [x, y, WIDTH, HEIGHT]);

/** Tiles are JPEG: near the colour is it. */
async function expectColour(page, dx, dy, wanted, what) {
  let got;
  for (const end = Date.now() + 20_000; Date.now() < end; await page.waitForTimeout(50)) {
    got = await colourAt(page, dx, dy);
    if (got.every((x, c) => Math.abs(x - wanted[c]) <= 6)) return;
  }
  assert.fail(`${what}: ${got}, not ${wanted}`);
}

export async function a_slide_is_looked_at_by_tiles({ server, browser }) {
  const tiles = [];
  const page = await openImages({ server, browser });
  page.on("request", (request) => /\/tiles\//.test(request.url()) && tiles.push(new URL(request.url()).pathname.split("/tiles/")[1]));
  await choose(page, file("case 7.svs"));
  await page.getByText(`${WIDTH} × ${HEIGHT} pixels`).waitFor();
  await page.getByText("0.5 µm each").waitFor();
  for (const [x, y] of [[1550, 1050], [350, 1750], [2650, 250]])
    await expectColour(page, ...(await ofWhole(page, x, y)), colour(x, y), "the whole slide");
  assert.match(await stage(page).locator(".scale text").textContent(), /^\d+ µm$/);
  assert.ok(tiles.every((name) => !name.startsWith("0/")), "the whole slide wants no finest tiles");
  // To the pixels.
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  for (const [dx, dy] of [[0, 0], [250, 150], [-250, -150]])
    await expectColour(page, dx + 20, dy + 20, colour(WIDTH / 2 + dx + 20, HEIGHT / 2 + dy + 20), "one to one");
  assert.equal(await stage(page).locator(".scale text").textContent(), "50 µm");
  const bar = await stage(page).locator(".scale path").last().evaluate((node) => node.getBBox().width);
  assert.equal(bar, 100, "50 micrometres are 100 pixels");
  assert.ok(tiles.filter((name) => name.startsWith("0/")).length < 40, "only what is looked at is fetched");
  // Dragging moves; the keys do, too.
  const box = await stage(page).boundingBox();
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(...middle);
  await page.mouse.down();
  await page.mouse.move(middle[0] - 200, middle[1] - 100, { steps: 4 });
  await page.mouse.up();
  await expectColour(page, 20, 20, colour(WIDTH / 2 + 220, HEIGHT / 2 + 120), "dragged");
  await stage(page).press("Shift+ArrowRight");
  await expectColour(page, 20, 20, colour(WIDTH / 2 + 260, HEIGHT / 2 + 120), "moved by a key");
  // Lengths.
  await page.getByRole("radio", { name: "Length" }).focus();
  await page.keyboard.press("Space");
  await stage(page).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  for (let i = 0; i < 4; ++i) await page.keyboard.press("Shift+ArrowRight");
  await page.keyboard.press("Enter");
  await page.getByRole("list", { name: "Measurements" }).getByText("Length: 20 µm").waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `a slide, ${design}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page, "a slide, narrow");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, "nothing is wider than a telephone");
  // Closed, the server has nothing of it.
  const [request] = await Promise.all([page.waitForRequest((r) => r.method() === "DELETE"), page.getByRole("button", { name: "Close the study" }).click()]);
  await request.response();
  assert.equal((await fetch(new URL(new URL(request.url()).pathname + "/overview", server.url))).status, 404);
  page.expectNoFaults(READS);
}

export async function a_slide_is_asked_about_by_its_patches({ server, browser }) {
  const tissue = (x, y) => (Math.hypot(x - 1500, y - 1000) < 700 ? [190, 120, 170] : [244, 244, 244]);
  const buffer = slide({ width: WIDTH, height: HEIGHT, shrinks: [1, 4], um: 0.5, colour: tissue });
  const page = await openImages({ server, browser }, { name: "biopsy.tiff", mimeType: "image/tiff", buffer });
  await page.getByText("0.5 µm each").waitFor();
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  await page.getByText(/Recipe slide 1/).waitFor();
  const overview = page.getByRole("img", { name: "The slide with the chosen patches" });
  await overview.waitFor();
  const red = await overview.evaluate(async (image) => {
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) count += data[i] > 200 && data[i + 1] < 60 && data[i + 2] < 60;
    return count;
  });
  assert.ok(red > 200, `${red} red pixels are no outline of a patch`);
  await page.getByLabel("Question about the picture").fill("What is this?");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByText(/seeing · recipe slide 1 · images: \d+/).waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `a slide that was asked about, ${design}`);
  }
  // What is looked at, as a picture.
  await page.locator("#img-0-recipe").selectOption("image");
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  await page.locator(".seen").getByText("picture.png", { exact: true }).waitFor();
  page.expectNoFaults(READS);
}

export async function a_slide_that_the_server_let_go_of_comes_back({ server, browser }) {
  const page = await openImages({ server, browser });
  // The name that the server gave it stands in the addresses of its tiles.
  const named = async (request) => new URL((await request).url()).pathname.split("/")[2];
  const tile = page.waitForRequest(/\/slides\/[0-9a-f]{32}\/tiles\//);
  await choose(page, file("a.svs"));
  const id = await named(tile);
  for (const [x, y] of [[1550, 1050], [350, 1750], [2650, 250]])
    await expectColour(page, ...(await ofWhole(page, x, y)), colour(x, y), "the whole slide");
  assert.equal((await fetch(new URL(`/slides/${id}`, server.url), { method: "DELETE" })).status, 204);
  const again = page.waitForRequest((r) => /\/slides\/[0-9a-f]{32}\/tiles\//.test(r.url()) && !r.url().includes(id));
  await page.getByRole("button", { name: "One pixel of the picture" }).click();
  assert.notEqual(await named(again), id);
  await expectColour(page, 20, 20, colour(WIDTH / 2 + 20, HEIGHT / 2 + 20), "sent again");
  page.expectNoFaults(/status of 404|willReadFrequently/);
}

export async function a_slide_of_dicom_opens_and_a_tiff_that_is_none_is_a_picture({ server, browser }) {
  const dicom = { name: "s.dcm", mimeType: "application/dicom", buffer: readFileSync(path.join(ROOT, "examples/images/multiframe_camelyon_challenge_image.dcm")) };
  const page = await openImages({ server, browser }, dicom);
  await page.locator("#img-0-series").getByText("Slide (dicom)").waitFor({ state: "attached" });
  await page.getByRole("button", { name: "Close the study" }).click();
  // One strip, no tiles.
  const pixels = Buffer.alloc(3 * 20 * 10, 120);
  const head = Buffer.from("II*\0\x08\0\0\0", "latin1");
  const tags = [[256, 4, 1, 20], [257, 4, 1, 10], [258, 3, 1, 8], [259, 3, 1, 1], [262, 3, 1, 1], [273, 4, 1, 8 + 2 + 12 * 9 + 4], [277, 3, 1, 1], [278, 4, 1, 10], [279, 4, 1, 200]];
  const directory = Buffer.alloc(2 + 12 * 9 + 4);
  directory.writeUInt16LE(tags.length, 0);
  tags.forEach(([tag, type, count, value], i) => {
    directory.writeUInt16LE(tag, 2 + 12 * i);
    directory.writeUInt16LE(type, 4 + 12 * i);
    directory.writeUInt32LE(count, 6 + 12 * i);
    directory.writeUInt32LE(value, 10 + 12 * i);
  });
  await choose(page, { name: "scan.tif", mimeType: "image/tiff", buffer: Buffer.concat([head, directory, pixels]) });
  await page.getByText("20 × 10 pixels").waitFor();
  assert.equal(await stage(page).locator(".scale").count(), 0);
  page.expectNoFaults(/status of 400|willReadFrequently/);
}

export async function a_scale_from_the_objective_is_called_estimated({ server, browser }) {
  const { name, mimeType, buffer } = file("guessed.svs");
  const page = await openImages({ server, browser }, { name, mimeType, buffer: Buffer.from(buffer.toString("latin1").replaceAll("|MPP = ", "|Xpp = "), "latin1") });
  await page.getByText("0.5 µm each · estimated from the objective").waitFor();
  assert.match(await stage(page).locator(".scale text").textContent(), /^\d+ µm estimated from the objective$/);
  await page.getByRole("button", { name: "Close the study" }).click();
  page.expectNoFaults(READS);
}
