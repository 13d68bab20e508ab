// Conversations: streaming, stopping, asking again, images, where an answer came from.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expectAccessible, openPage, ROOT } from "./page.mjs";

const SOON_MS = 100; // from a token's arrival to its being on the page
const RETINA = path.join(ROOT, "examples/images/retina.jpg");

async function openChat({ server, browser }, model) {
  const page = await openPage(browser, new URL("/#/chat", server.url).href);
  await page.locator("#chat-model").selectOption(model);
  const ask = async (text) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
  };
  const answer = page.locator(".message-of.model").last();
  const done = () => page.locator(".message-of.model[aria-busy=false]").last().waitFor();
  return { page, ask, answer, done };
}

export async function answers_stream_and_say_where_they_came_from(context) {
  const { page, ask, answer, done } = await openChat(context, "real");
  // When the text first grows, and how often it does.
  await page.evaluate(() => {
    window.growth = [];
    new MutationObserver(() => {
      const length = document.querySelector(".message-of.model .markdown")?.textContent.length ?? 0;
      if (length > (window.growth.at(-1)?.length ?? 0)) window.growth.push({ length, at: performance.now() });
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await ask("Tell me about the heart.");
  await done();
  const { growth, began } = await page.evaluate(() => ({
    growth: window.growth,
    began: performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/chat/completions")).at(-1).responseStart,
  }));
  assert.ok(growth.length >= 5, `the answer came in ${growth.length} pieces`);
  const late = growth[0].at - began;
  assert.ok(late <= SOON_MS, `the first token was shown ${late.toFixed(0)} ms after the server had begun to answer`);
  console.log(`  first token shown ${late.toFixed(0)} ms after the first byte of the answer`);
  await page.getByText("Cut off: the limit of tokens was reached").waitFor();
  await answer.locator(".provenance summary").click();
  const facts = await answer.locator(".provenance").innerText();
  for (const pattern of [/real/, /galen-[\d.]+/, /[\d.]+ tokens\/s/, /\d+ in, 40 out/, /Request\s+[0-9a-f]+-[0-9a-f]+/])
    assert.match(facts, pattern);
  // A second turn, and the same again: greedy answers are equal.
  await ask("And the lungs?");
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  assert.equal(await page.locator(".message-of").count(), 4);
  const before = await answer.locator(".markdown").innerText();
  await page.getByRole("button", { name: "Answer again" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  assert.equal(await page.locator(".message-of").count(), 4);
  assert.equal(await answer.locator(".markdown").innerText(), before);
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `chat, ${design}`);
  }
  page.expectNoFaults();
}

export async function an_answer_can_be_stopped(context) {
  const { page, ask, answer, done } = await openChat(context, "real");
  await ask("Count to a thousand.");
  await answer.locator(".markdown").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await done();
  await answer.getByText("Stopped").waitFor();
  const text = await answer.locator(".markdown").innerText();
  assert.ok(text.length > 0);
  await ask("Go on.");
  await page.locator(".message-of.model").nth(1).waitFor();
  await page.getByRole("button", { name: "New conversation" }).click();
  assert.equal(await page.locator(".message-of").count(), 0);
  await page.waitForTimeout(300);
  assert.equal(await page.locator(".message-of").count(), 0, "an answer came to a conversation that was left");
  page.expectNoFaults();
}

export async function images_are_dropped_pasted_and_seen(context) {
  const { page, ask, done } = await openChat(context, "seeing");
  const bytes = readFileSync(RETINA).toString("base64");
  for (const event of ["drop", "paste"]) {
    await page.evaluate(
      ([kind, data]) => {
        const transfer = new DataTransfer();
        const content = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
        transfer.items.add(new File([content], `${kind}.jpg`, { type: "image/jpeg" }));
        const init = { bubbles: true, cancelable: true };
        const made =
          kind === "drop"
            ? new DragEvent("drop", { ...init, dataTransfer: transfer })
            : new ClipboardEvent("paste", { ...init, clipboardData: transfer });
        document.querySelector(".composer textarea").dispatchEvent(made);
      },
      [event, bytes],
    );
    await page.getByRole("img", { name: `${event}.jpg` }).waitFor();
  }
  await page.getByRole("button", { name: "Remove paste.jpg" }).click();
  const request = page.waitForRequest((r) => r.url().endsWith("/v1/chat/completions"));
  await ask("What is this?");
  const { messages } = (await request).postDataJSON();
  assert.deepEqual(messages[0].content.map((part) => part.type), ["image_url", "text"]);
  assert.equal(messages[0].content[0].image_url.url, `data:image/jpeg;base64,${bytes}`);
  await done();
  assert.equal(await page.locator(".message-of.model .box.error").count(), 0);
  await page.locator("#chat-model").selectOption("words");
  await page.getByRole("button", { name: "words does not see images" }).waitFor();
  // What the server refuses is said in its words.
  await page.getByRole("button", { name: "New conversation" }).click();
  await ask("far too long ".repeat(100));
  await page.locator(".message-of.model .box.error").getByText("context").waitFor();
  page.expectNoFaults(/status of 400/);
}
