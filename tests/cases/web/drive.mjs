// Drives the page: node drive.mjs [WORD...]; run.py sets what it needs.
import { rmSync } from "node:fs";
import * as chat from "./chat.mjs";
import * as documents from "./documents.mjs";
import * as images from "./images.mjs";
import * as operation from "./operation.mjs";
import * as slides from "./slides.mjs";
import * as volumes from "./volumes.mjs";
import { MODELS, openBrowser, scratch, startServer } from "./page.mjs";

const words = process.argv.slice(2);
const chosen = (checks) => Object.entries(checks).filter(([name]) => !words.length || words.some((word) => name.includes(word)));
// Two at a time, as there are processors. Tokens are timed when TypeScript is done.
const lanes = [chosen(operation), [...chosen(documents), ...chosen(chat), ...chosen(images), ...chosen(volumes), ...chosen(slides)]];

// Answers are short, so that the suite is: what is cut off is shown as that.
const server = await startServer(["--max-tokens", "40", "--context", "4096"], { models: MODELS });
const browser = await openBrowser();
let done = 0;
let failed = 0;

async function run([name, check]) {
  const began = performance.now();
  const contexts = [];
  const newContext = async (options) => {
    contexts.push(await browser.newContext(options));
    return contexts.at(-1);
  };
  let fault = "";
  try {
    await check({ server, browser: { newContext } });
  } catch (error) {
    fault = error.stack ?? String(error);
    ++failed;
  }
  ++done;
  for (const context of contexts) await context.close();
  console.log(`${fault ? "FAILED" : "ok"} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  if (fault) console.log(`  ${fault}`);
}

await Promise.all(
  lanes.map(async (lane) => {
    for (const entry of lane) await run(entry);
  }),
);
await browser.close();
await server.stop();
rmSync(scratch, { recursive: true, force: true });
if (!done) failed = 1;
console.log(failed ? `${failed} of ${done} checks failed` : `ok, ${done} checks`);
process.exit(failed ? 1 : 0);
