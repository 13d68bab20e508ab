// A document from upload to exported values.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expectAccessible, openPage, ROOT, startServer } from "./page.mjs";

const REPORT = path.join(ROOT, "examples/documents/lab_report.pdf");

async function download(page, act) {
  const [file] = await Promise.all([page.waitForEvent("download"), act()]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), "utf8") };
}

export async function a_document_is_read_corrected_and_exported({ server, browser }) {
  const page = await openPage(browser, server.url);
  await page.locator("#doc-model").selectOption("real");
  await page.locator("#doc-kind").selectOption("lab_report");
  const read = page.getByRole("button", { name: "Read the document" });
  assert.ok(await read.isDisabled(), "nothing to read yet");
  await page.locator(".start input[type=file]").setInputFiles(REPORT);
  // It shows while the answer is written: waited for from before the click.
  await Promise.all([page.getByText("What the model is writing").waitFor(), read.click()]);
  const table = page.getByRole("table", { name: "Values of the document" });
  await table.waitFor();
  assert.equal(await page.getByText("galen is not a medical device").count(), 1);
  await page.getByText("The answer was cut off").waitFor();

  // The pictured page, and the box of the row that is looked at.
  await page.getByRole("img", { name: "Page 1 of lab_report.pdf" }).waitFor();
  const boxed = await page.locator(".boxes rect").count();
  assert.ok(boxed > 0, "a value with a place on the page");
  const rows = table.locator("tr.value");
  let shown = 0;
  for (let i = 0; i < (await rows.count()); ++i) {
    await rows.nth(i).hover();
    shown += await page.locator(".boxes rect.active").count();
    assert.match(await rows.nth(i).innerText(), /Found|Check|Note|Unchecked/);
    assert.match(await rows.nth(i).innerText(), /% sure/);
  }
  assert.equal(shown, boxed, "each value with a place shows its box");
  await page.locator(".boxes rect").first().click();
  assert.equal(await page.evaluate(() => document.activeElement.closest("tr.active") !== null), true, "a box leads to its row");

  // Nobody's correction is none.
  const name = rows.filter({ hasText: "Name" }).first();
  await name.getByRole("button", { name: /^Accept/ }).click();
  await page.getByText("Say who reviews first").waitFor();
  await page.getByLabel("Reviewed by").fill("Dr. Weber");
  await name.getByRole("button", { name: /^Edit/ }).click();
  await page.getByLabel(/^New value of Name/).fill("=Erika, Muster");
  await page.keyboard.press("Enter");
  await name.getByText("Corrected").waitFor();
  const other = rows.filter({ hasText: "Institution" }).first();
  await other.getByRole("button", { name: /^Accept/ }).click();
  await other.getByText("Accepted").waitFor();
  await page.getByText(/^2 of \d+ values reviewed/).waitFor();
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `values, ${design}`);
  }

  const json = await download(page, () => page.getByRole("button", { name: "JSON" }).click());
  assert.equal(json.name, "lab_report.json");
  const report = JSON.parse(json.text);
  assert.equal(report.document.patient.name, "=Erika, Muster");
  const value = report.values.find((v) => v.path === "/patient/name");
  assert.notEqual(value.value, "=Erika, Muster", "what was read stays beside the correction");
  const { at, ...review } = value.review;
  assert.deepEqual(review, { kind: "corrected", value: "=Erika, Muster", by: "Dr. Weber" });
  assert.ok(Math.abs(Date.now() - Date.parse(at)) < 60_000);
  assert.equal(report.values.find((v) => v.path === "/institution").review.kind, "accepted");
  assert.equal(report.pages[0].image, undefined);
  assert.deepEqual(report.review, { corrected: 1, reviewed: 2, values: report.values.length });

  const csv = await download(page, () => page.getByRole("button", { name: "CSV" }).click());
  const line = csv.text.split("\r\n").find((l) => l.startsWith("/patient/name,"));
  assert.match(line, /^\/patient\/name,"'=Erika, Muster",/, "a formula stays text");
  assert.match(line, /,corrected,.*,Dr\. Weber,/);

  let asked = "";
  page.on("dialog", (dialog) => ((asked = dialog.message()), dialog.accept()));
  const fhir = await download(page, () => page.getByRole("button", { name: "FHIR" }).click());
  assert.match(asked, /without your 1 corrections/);
  assert.equal(JSON.parse(fhir.text).resourceType, "Bundle");
  page.expectNoFaults();
}

export async function a_document_goes_by_the_keyboard_alone({ server, browser }) {
  const page = await openPage(browser, server.url);
  page.on("filechooser", () => {}); // from now on, no dialog of the system
  const focused = () => page.evaluate(() => document.activeElement.innerText || document.activeElement.getAttribute("aria-label") || document.activeElement.id);
  const tabTo = async (pattern, key = "Tab") => {
    for (let i = 0; i < 60; ++i) {
      await page.keyboard.press(key);
      if (pattern.test(await focused())) return;
    }
    throw new Error(`Tab does not lead to ${pattern}, but to ${await focused()}`);
  };
  await page.getByRole("heading", { name: "Read a document" }).waitFor();
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "Skip to the content");
  await page.keyboard.press("Enter");
  await tabTo(/^Choose files$/);
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(REPORT);
  await tabTo(/Recognise it/);
  await page.keyboard.press("L"); // Laboratory report
  await tabTo(/real/);
  await page.keyboard.press("r");
  await tabTo(/^Read the document$/);
  await page.keyboard.press("Enter");
  await page.getByRole("table").waitFor();
  await tabTo(/^reviewer$/);
  await page.keyboard.type("W");
  await tabTo(/^Institution$/);
  assert.equal(await page.locator("tr.active").count(), 1);
  await page.keyboard.press("a");
  await page.locator("tr.accepted").waitFor();
  await page.keyboard.press("ArrowDown");
  assert.notEqual(await focused(), "Institution");
  await page.keyboard.press("e");
  await page.keyboard.type("typed");
  await page.keyboard.press("Enter");
  await page.locator("tr.corrected").getByText("typed").waitFor();
  await page.keyboard.press("e");
  await page.keyboard.type("never");
  await page.keyboard.press("Escape");
  await page.locator("tr.corrected").getByText("typed").waitFor();
  await tabTo(/^JSON$/, "Shift+Tab");
  const { text } = await download(page, () => page.keyboard.press("Enter"));
  assert.equal(JSON.parse(text).review.corrected, 1);
  page.expectNoFaults();
}

export async function what_cannot_be_read_is_said({ server, browser }) {
  const page = await openPage(browser, server.url);
  await page.locator("#doc-model").selectOption("real");
  const input = page.locator(".start input[type=file]");
  await input.setInputFiles(path.join(ROOT, "tests/data/documents/broken.pdf"));
  await page.getByRole("button", { name: "Read the document" }).click();
  await page.getByRole("alert").getByText("is damaged").waitFor();
  await input.setInputFiles(REPORT);
  await page.getByRole("button", { name: "Read the document" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("heading", { name: "Read a document" }).waitFor();
  page.expectNoFaults(/status of 400/);
}

export async function the_model_that_reads_is_named({ server, browser }) {
  const many = await openPage(browser, server.url);
  await many.getByText("real reads, unless you choose another model.").waitFor();
  // Beside others, the one inside the program reads what it learned, and answers no questions.
  const both = await startServer(["--on-demand"], { builtin: true });
  try {
    const page = await openPage(browser, both.url);
    await page.getByText("galen-mini reads, unless you choose another model.").waitFor();
    await page.locator("#doc-kind").selectOption("prescription");
    await page.getByText("seeing reads, unless you choose another model.").waitFor();
    assert.equal(await page.locator("#doc-model").inputValue(), "seeing");
    page.expectNoFaults();
  } finally {
    await both.stop();
  }
  // Without a model of anybody's, it is alone.
  const bare = await startServer([], { models: [] });
  try {
    const page = await openPage(browser, bare.url);
    await page.getByText("galen-mini reads. It is part of galen and made for laboratory slips").waitFor();
    await page.locator(".start input[type=file]").setInputFiles(path.join(ROOT, "examples/documents/lab_slip.png"));
    for (const design of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: design });
      await expectAccessible(page, `documents with a model's name, ${design}`);
    }
    await page.getByRole("button", { name: "Read the document" }).click();
    await page.getByRole("table", { name: "Values of the document" }).waitFor();
    page.expectNoFaults();
  } finally {
    await bare.stop();
  }
}
