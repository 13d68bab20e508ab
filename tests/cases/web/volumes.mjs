// Volumes and even series in their three planes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { dicom } from "./dicom.mjs";
import { bytesOf, choose, named, openImages, PICTURES, pixelsOf, READS, shown, stack, stage } from "./images_page.mjs";
import { nifti } from "./other_files.mjs";
import { expectAccessible, ROOT } from "./page.mjs";

const PLANES = ["Axial", "Coronal", "Sagittal"];
const volumeFile = (name, options) => ({ name, mimeType: "application/octet-stream", buffer: nifti(options) });
const plane = (page, name) => page.getByRole("radio", { name });
const toPlane = (page, name) => page.locator(".planes").getByText(name).click();

export async function a_volume_is_seen_in_three_planes_as_models_get_it({ server, browser }) {
  const [i, j, k] = [40, 30, 20];
  const values = Array.from({ length: i * j * k }, (_, n) => (n % i) * 7 + (Math.floor(n / i) % j) * 11 + Math.floor(n / (i * j)) * 13);
  const page = await openImages({ server, browser }, volumeFile("brain.nii", { shape: [i, j, k], values }));
  await page.getByText("Slice 10 of 20").waitFor();
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByLabel("Centre").fill("400");
  await page.getByLabel("Width").fill("700");
  await page.keyboard.press("Tab");
  await page.getByLabel("With the window shown here").check();
  const sizes = { Axial: [i, j, k], Coronal: [i, k, j], Sagittal: [j, k, i] };
  const edges = { Axial: ["R", "A", "L", "P"], Coronal: ["R", "S", "L", "I"], Sagittal: ["A", "S", "P", "I"] };
  for (const name of PLANES) {
    const [columns, rows, count] = sizes[name];
    await toPlane(page, name);
    await page.getByRole("button", { name: "One pixel of the picture" }).click();
    for (const at of [1, 4]) {
      await page.getByRole("slider", { name: "Slice" }).fill(String(at));
      await page.getByText(`Slice ${at} of ${count}`).waitFor();
      const seen = await shown(page);
      assert.deepEqual([seen.columns, seen.rows], [columns, rows], name);
      await page.getByRole("button", { name: PICTURES, exact: true }).click();
      await page.locator(".seen").getByText(`slice ${at} of ${count}`).waitFor();
      const picture = page.getByRole("list", { name: PICTURES }).getByRole("img");
      const got = await pixelsOf(page, await picture.first().getAttribute("src"));
      const mine = bytesOf(seen.pixels);
      assert.equal(got.length, mine.length);
      const apart = mine.reduce((most, x, n) => Math.max(most, Math.abs(x - got[n])), 0);
      assert.ok(apart <= 1, `${name} ${at}: what the model would see is ${apart} greys apart`);
    }
    assert.deepEqual(await stage(page).locator(".edges text").allTextContents(), edges[name]);
  }
  // In words, what lies where.
  await page.getByText("left edge: front, upper edge: head").waitFor();
  page.expectNoFaults(READS);
}

export async function a_volume_is_measured_and_asked_about({ server, browser }) {
  const shape = [40, 30, 20];
  const values = Array.from({ length: 40 * 30 * 20 }, (_, n) => n % 900);
  // Voxels of 2 x 3 x 5 mm; values that are Hounsfield units, by air.
  const page = await openImages({ server, browser }, volumeFile("ct.nii", { shape, values, spacing: [2, 3, 5], intercept: -1000 }));
  await page.getByText("Slice 10 of 20").waitFor();
  assert.match(await page.locator("#img-0-window option:checked").innerText(), /Abdomen/);
  await page.getByText(/^Notes on these files/).click();
  await page.locator(".notes").getByText("taken for CT in HU").waitFor();
  // By the keyboard alone: the sagittal plane, where a column is 3 mm and a row 5 mm.
  await plane(page, "Axial").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.getByText("Slice 20 of 40").waitFor();
  await page.getByRole("radio", { name: "Length" }).focus();
  await page.keyboard.press("Space");
  await stage(page).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Shift+ArrowRight"); // ten columns: 30 mm
  for (let n = 0; n < 8; ++n) await page.keyboard.press("ArrowDown"); // eight rows: 40 mm
  await page.keyboard.press("Enter");
  const measured = page.getByRole("list", { name: "Measurements" }).getByRole("listitem");
  await measured.filter({ hasText: "Length: 50.0 mm, slice 20" }).waitFor();
  await stage(page).press("PageDown"); // arrows move the cross
  await page.getByText("Slice 30 of 40").waitFor();
  await toPlane(page, "Coronal");
  assert.equal(await stage(page).locator(".measure").count(), 0, "it stays on its slice of its plane");
  // A question is about this plane and slice of the file.
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByLabel("Question about the picture").fill("What is this?");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByText(/recipe ct 1 · images: 1/).waitFor();
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  await page.locator(".seen").getByText("slice 15 of 30").waitFor();
  await page.locator("#img-0-recipe").selectOption("mr");
  await page.locator("#img-0-scope").selectOption("series");
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  await page.getByText("Recipe mr 1").waitFor();
  await page.getByText("coronal, front to back; patient's right on the left, head on top").waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `a volume, ${design}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await expectAccessible(page, "a volume, narrow");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, "nothing is wider than a telephone");
  page.expectNoFaults(READS);
}

export async function the_phantom_of_the_examples_opens({ server, browser }) {
  const file = { name: "head.nii.gz", mimeType: "application/gzip", buffer: readFileSync(path.join(ROOT, "examples/volumes/head.nii.gz")) };
  const page = await openImages({ server, browser }, file);
  await page.getByText(/^Slice \d+ of \d+/).waitFor();
  for (const name of PLANES) {
    await toPlane(page, name);
    let greys = 0;
    for (const end = Date.now() + 10_000; greys < 3 && Date.now() < end; await page.waitForTimeout(50))
      greys = new Set(bytesOf((await shown(page)).pixels)).size;
    assert.ok(greys >= 3, `${name}: ${greys} greys; there are air, tissue and bone`);
  }
  page.expectNoFaults(READS);
}

// Slices whose value tells column, row and slice.
function evenStack(positions, more = {}) {
  const [rows, columns] = [24, 32];
  return positions.map((position, k) => {
    const pixels = Int16Array.from({ length: rows * columns }, (_, n) => 2 * (n % columns) + 3 * Math.floor(n / columns) + 50 * k);
    return named(`${k}.dcm`, dicom({ rows, columns, pixels, number: k + 1, position, spacing: [1, 1], intercept: 0, ...more }));
  });
}

export async function an_even_series_is_cut_in_the_other_planes({ server, browser }) {
  const page = await openImages({ server, browser }, evenStack([0, 1, 2, 3, 4, 5]));
  await page.getByText("Slice 3 of 6").waitFor();
  assert.deepEqual(await stage(page).locator(".edges text").allTextContents(), ["R", "A", "L", "P"]);
  await page.getByLabel("Centre").fill("200");
  await page.getByLabel("Width").fill("407"); // no value lies between two greys
  await page.keyboard.press("Tab");
  const grey = (x) => Math.floor(Math.min(1, Math.max(0, (x - 200) / 407 + 0.5)) * 255 + 0.5);
  // Position z of slice k is k mm to the head: the top row of the other planes is the last slice.
  const wanted = {
    Coronal: { size: [32, 6, 24], value: (x, y, n) => 2 * x + 3 * n + 50 * (5 - y) }, // from front to back: row n
    Sagittal: { size: [24, 6, 32], value: (x, y, n) => 2 * n + 3 * x + 50 * (5 - y) }, // from right to left: column n
  };
  for (const [name, { size: [columns, rows, count], value }] of Object.entries(wanted)) {
    await toPlane(page, name);
    await page.getByRole("button", { name: "One pixel of the picture" }).click();
    await page.getByRole("slider", { name: "Slice" }).fill("6");
    await page.getByText(`Slice 6 of ${count}`).waitFor();
    await page.getByText("cut here from the slices, nothing interpolated").waitFor();
    const seen = await shown(page);
    assert.deepEqual([seen.columns, seen.rows], [columns, rows]);
    const bytes = bytesOf(seen.pixels);
    for (let y = 0; y < rows; ++y)
      for (let x = 0; x < columns; ++x) assert.equal(bytes[3 * (y * columns + x)], grey(value(x, y, 5)), `${name}, column ${x}, row ${y}`);
  }
  // No recipe takes such a cut: it goes as a picture.
  await page.locator("#img-0-model").selectOption("seeing");
  await page.getByRole("button", { name: PICTURES, exact: true }).click();
  await page.locator(".seen").getByText("picture.png", { exact: true }).waitFor();
  // Slices that do not lie evenly are cut in no other plane, and that is said.
  const close = () => page.getByRole("button", { name: "Close the study" }).click();
  for (const [files, text] of [
    [evenStack([0, 1, 2, 5, 6]), "the slices do not lie evenly"],
    [evenStack([0, 1, 2], { spacing: null }), "how far apart the pixels are"],
  ]) {
    await close();
    await choose(page, files);
    await page.getByText(/^Notes on these files/).click();
    await page.locator(".notes").getByText(text).waitFor();
    assert.equal(await plane(page, "Coronal").count(), 0);
  }
  // Where all are pictures of no place, nobody misses planes.
  await close();
  await choose(page, stack(3, 1, { position: null }));
  await page.getByText("Slice 2 of 3").waitFor();
  assert.equal(await page.locator(".notes").getByText("Other planes").count(), 0);
  page.expectNoFaults(READS);
}
