// A server of galen, a browser, and what checks ask of the two.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const require = createRequire(path.join(process.env.WEB_PACKAGES, "package.json"));
const { chromium } = require("playwright-core");
export const axeSource = require("axe-core").source;
export const ROOT = process.env.GALEN_ROOT;
const TINY = path.join(ROOT, "tests/parity/models/tiny");
const SMOLLM = path.join(process.env.GALEN_MODELS, "SmolLM2-135M-Instruct.Q4_1.gguf");
// Random weights of two kinds, and a small real model that writes JSON under a schema (tools/fetch_models.py smollm2).
const TINY_MODELS = [`seeing=${TINY}/gemma3-vision`, `words=${TINY}/gemma3/q8_0.gguf`];
export const MODELS = [`real=${SMOLLM}`, ...TINY_MODELS];

// No server outlives the checks, however they end.
const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));

export async function startServer(args = [], { models = TINY_MODELS, port = 0, builtin = !models.length } = {}) {
  const command = ["serve", ...models, ...(builtin ? [] : ["--no-builtin-model"]), "--port", String(port), "--threads", "2", "--no-log", ...args];
  const child = spawn(process.env.GALEN_BIN, command, { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const line = await new Promise((resolve, reject) => {
    child.stdout.once("data", (data) => resolve(String(data)));
    child.once("exit", (code) => reject(new Error(`galen serve ended with ${code}`)));
  });
  const url = line.match(/https?:\S+/)[0];
  const gone = new Promise((resolve) => child.once("exit", resolve));
  return {
    url,
    port: Number(new URL(url).port),
    async stop(signal = "SIGKILL") {
      child.kill(signal);
      await gone;
    },
  };
}

export async function openBrowser() {
  // --no-sandbox: Chromium refuses to run as root otherwise; it opens nothing but our own page.
  const args = ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"];
  if (process.getuid() === 0) args.push("--no-sandbox");
  return chromium.launch({ executablePath: process.env.CHROMIUM, args });
}

/** A page that remembers what it should not have done. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ acceptDownloads: true, viewport: { width: 1360, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000); // of a busy machine
  const faults = [];
  const { origin } = new URL(url);
  // Chromium says these itself when an answer is 4xx or does not come; checks that provoke them take them out.
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(`${origin}/`) && !to.startsWith("blob:") && !to.startsWith("data:")) faults.push(`asked ${to}`);
  });
  await page.goto(url);
  page.faults = faults;
  page.expectNoFaults = (allowed = /^$/) => {
    const rest = faults.filter((f) => !allowed.test(f));
    if (rest.length) throw new Error(`the page complained: ${rest.join(" | ")}`);
  };
  return page;
}

export async function expectAccessible(page, what) {
  // Colours are judged when nothing moves any more: what begins to move does so in the next frame.
  await page.evaluate(async () => {
    for (let quiet = 0; quiet < 3; ++quiet) {
      await new Promise(requestAnimationFrame);
      const moving = document.getAnimations().filter((a) => a.effect.getComputedTiming().iterations === 1 && a.playState === "running");
      if (!moving.length) continue;
      await Promise.allSettled(moving.map((a) => a.finished));
      quiet = -1;
    }
  });
  // By the debugger, since the page's policy lets no script in.
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  if (!violations.length) return;
  const lines = violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => `${n.target} ${n.failureSummary.replace(/\s+/g, " ").slice(0, 200)}`).join("; ")}`);
  throw new Error(`axe-core, ${what}:\n  ${lines.join("\n  ")}`);
}

export const scratch = mkdtempSync(path.join(tmpdir(), "galen-web-"));
