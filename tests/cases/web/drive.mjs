// Drives the page: node drive.mjs [WORD...]; run.py sets what it needs.
import { rmSync } from "node:fs";
import * as chat from "./chat.mjs";
import * as documents from "./documents.mjs";
import * as operation from "./operation.mjs";
import { MODELS, openBrowser, scratch, startServer } from "./page.mjs";

const words = process.argv.slice(2);
const checks = Object.entries({ ...operation, ...chat, ...documents }).filter(
  ([name]) => !words.length || words.some((word) => name.includes(word)),
);
// Answers are short, so that the suite is: what is cut off is shown as that.
const server = await startServer(["--max-tokens", "64", "--context", "4096"], { models: MODELS });
const browser = await openBrowser();
let failed = 0;
for (const [name, check] of checks) {
  const began = performance.now();
  let fault = "";
  try {
    await check({ server, browser });
  } catch (error) {
    fault = error.stack ?? String(error);
    ++failed;
  }
  // A check that failed may have left its pages open.
  for (const context of browser.contexts()) await context.close();
  console.log(`${fault ? "FAILED" : "ok"} ${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  if (fault) console.log(`  ${fault}`);
}
await browser.close();
await server.stop();
rmSync(scratch, { recursive: true, force: true });
console.log(failed ? `${failed} of ${checks.length} checks failed` : `ok, ${checks.length} checks`);
process.exit(failed ? 1 : 0);
