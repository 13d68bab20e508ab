// How the page is served, signing in, a server that goes and comes back, types, light and dark.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { expectAccessible, openPage, ROOT, scratch, startServer } from "./page.mjs";

const LARGEST = 350_000; // bytes of the page, compressed

function get(url, headers = {}) {
  return new Promise((resolve, reject) => {
    http.get(url, { headers }, (reply) => {
      const pieces = [];
      reply.on("data", (piece) => pieces.push(piece));
      reply.on("end", () => resolve({ status: reply.statusCode, headers: reply.headers, body: Buffer.concat(pieces) }));
    }).on("error", reject);
  });
}

export async function page_is_served_strictly({ server }) {
  const root = await get(server.url);
  assert.equal(String(root.body), "Ollama is running", "what programs are told");
  const gzip = { "Accept-Encoding": "gzip, deflate, br" };
  const home = await get(server.url, { Accept: "text/html,*/*", ...gzip });
  const html = String(gunzipSync(home.body));
  assert.equal(String((await get(server.url, { Accept: "text/html,*/*" })).body), html, "plain where nobody asks for gzip");
  assert.doesNotMatch(html, /<style|style=|<script(?![^>]*src=)|\son\w+=/, "nothing inline");
  let bytes = home.body.length;
  const names = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]);
  assert.equal(names.length, 3);
  for (const name of names) {
    assert.match(name, /^\/ui\/[\w.]+$/);
    const file = await get(new URL(name, server.url), gzip);
    assert.equal(file.status, 200);
    bytes += file.body.length;
    const policy = file.headers["content-security-policy"];
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|http/);
    assert.equal(file.headers["x-content-type-options"], "nosniff");
    assert.equal(file.headers["referrer-policy"], "no-referrer");
    const again = await get(new URL(name, server.url), { "If-None-Match": file.headers.etag, ...gzip });
    assert.equal(again.status, 304);
    assert.equal(again.body.length, 0);
  }
  assert.ok(bytes <= LARGEST, `the page has ${bytes} bytes`);
  assert.equal((await get(new URL("/ui/none.js", server.url))).status, 404);
  assert.equal((await get(new URL("/ui/..%2f..%2fetc%2fpasswd", server.url))).status, 404);
}

export async function sources_have_no_type_errors() {
  const folder = path.join(scratch, "web");
  cpSync(path.join(ROOT, "apps/web"), folder, { recursive: true, filter: (name) => !name.includes("node_modules") });
  symlinkSync(path.join(process.env.WEB_PACKAGES, "node_modules"), path.join(folder, "node_modules"));
  const tsc = path.join(folder, "node_modules/typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, "-p", folder]).catch((error) => {
    throw new Error(error.stdout);
  });
  // Every text of the catalogue is used: a key in the code, or the beginning of one that is made at run time.
  const all = execFileSync("find", [path.join(folder, "src"), "-name", "*.ts*"], { encoding: "utf8" }).trim().split("\n");
  const code = all.filter((name) => !name.endsWith("/text.ts")).map((name) => readFileSync(name, "utf8")).join("\n");
  const keys = [...readFileSync(path.join(folder, "src/text.ts"), "utf8").matchAll(/^  "([\w.]+)":/gm)].map((match) => match[1]);
  const made = [...code.matchAll(/`([\w.]+)\$\{/g)].map((match) => match[1]);
  const unused = keys.filter((key) => !code.includes(`"${key}"`) && !made.some((start) => key.startsWith(start)));
  assert.deepEqual(unused, [], "texts that nothing shows");
}

export async function a_wrong_key_is_said_so_and_a_right_one_opens({ browser }) {
  const key = "gk_" + "k".repeat(40);
  const file = path.join(scratch, "keys");
  writeFileSync(file, `ward sha256:${createHash("sha256").update(key).digest("hex")}\n`);
  const audit = path.join(scratch, "audit");
  const server = await startServer(["--api-keys", file, "--audit", audit]);
  const page = await openPage(browser, server.url);
  const input = page.getByLabel("API key");
  await input.waitFor();
  await expectAccessible(page, "sign in");
  await input.fill("gk_wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("This key is not valid here").waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0, "a wrong key is not kept");
  await input.fill(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Read a document" }).waitFor();
  assert.equal(await page.evaluate(() => localStorage.length), 0, "a key outlives its tab");
  await page.reload();
  await page.getByRole("heading", { name: "Read a document" }).waitFor();
  // What the server refuses this key is said; what it refused the wrong one stands in its log.
  await page.getByRole("link", { name: "System" }).click();
  const records = page.getByRole("button", { name: "Show the last 50 records" });
  await records.click();
  await page.getByRole("alert").getByText("administrator").waitFor();
  writeFileSync(file, readFileSync(file, "utf8").replace(/\n$/, " admin\n"));
  await server.stop("SIGTERM");
  const second = await startServer(["--api-keys", file, "--audit", audit], { port: server.port });
  await page.getByText("Server ready").first().waitFor();
  await records.click();
  await page.getByRole("row", { name: /denied · 401/ }).first().waitFor();
  await expectAccessible(page, "audit log");
  const message = page.getByLabel("Message", { exact: true });
  await page.getByRole("link", { name: "Chat" }).click();
  await message.fill("of the one before");
  await page.getByRole("button", { name: "Sign out" }).click();
  await input.waitFor();
  await page.reload();
  await input.waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await input.fill(key);
  await page.keyboard.press("Enter");
  await message.waitFor();
  assert.equal(await message.inputValue(), "", "what one wrote is shown to the next");
  // Chromium itself writes a line for each 401.
  page.expectNoFaults(/status of 40[13]|ERR_CONNECTION|status of 503|ERR_EMPTY|ERR_INCOMPLETE/);
  await second.stop();
}

export async function a_server_that_goes_and_comes_back_is_seen({ browser }) {
  const first = await startServer();
  const page = await openPage(browser, new URL("/#/chat", first.url).href);
  const message = page.getByLabel("Message", { exact: true });
  await message.fill("kept through the fall of the server");
  await page.getByText("Server ready").first().waitFor();
  await first.stop();
  await page.getByText("The server does not answer.").waitFor();
  const second = await startServer([], { port: first.port });
  await page.getByText("Server ready").first().waitFor();
  await page.getByText("The server does not answer.").waitFor({ state: "hidden" });
  assert.equal(await message.inputValue(), "kept through the fall of the server");
  await page.keyboard.press("Enter");
  await page.locator(".message-of.model[aria-busy=false]").waitFor();
  page.expectNoFaults(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE/);
  await second.stop();
}

export async function system_shows_models_and_load({ server, browser }) {
  const page = await openPage(browser, server.url);
  await page.getByRole("link", { name: "System" }).click();
  const row = page.getByRole("row", { name: /^words/ });
  await row.getByText("Loaded").waitFor();
  await page.getByRole("row", { name: /^seeing/ }).getByText("images").waitFor();
  assert.match(await page.locator(".figures").first().innerText(), /Ready/);
  for (const design of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: design });
    await expectAccessible(page, `system, ${design}`);
  }
  page.expectNoFaults();
}

export async function the_switch_of_light_and_dark_is_kept({ server, browser }) {
  const page = await openPage(browser, server.url, { colorScheme: "dark" });
  const design = () => page.evaluate(() => document.documentElement.dataset.theme);
  assert.equal(await design(), "dark");
  await expectAccessible(page, "start, dark");
  await page.getByRole("button", { name: "Use the light design" }).click();
  assert.equal(await design(), "light");
  await expectAccessible(page, "start, light");
  await page.reload();
  assert.equal(await design(), "light");
  await page.getByRole("button", { name: "Use the dark design" }).click();
  // Back at what the system prefers, it follows the system.
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForFunction(() => document.documentElement.dataset.theme === "light");
  page.expectNoFaults();
}
