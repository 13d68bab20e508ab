// node drive.mjs [WORD...]: every check on one version of the `openai` package ($CLIENT_NAME of $CLIENT_PACKAGES), as run.py sets it up.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import * as ollama from "./ollama_checks.mjs";
import * as checks from "./openai_checks.mjs";

const require = createRequire(`${process.env.CLIENT_PACKAGES}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { client, ...all } = { ...checks, ...ollama };
const given = { openai: await load(process.env.CLIENT_NAME), zod: (await load("zod")).z, Ollama: (await load("ollama")).Ollama, place: JSON.parse(process.env.CLIENT_PLACE) };
const { version } = JSON.parse(readFileSync(`${process.env.CLIENT_PACKAGES}/node_modules/${process.env.CLIENT_NAME}/package.json`));
const words = process.argv.slice(2);
let done = 0, failed = 0;
for (const [name, check] of Object.entries(all)) {
  if (words.length && !words.some((word) => name.includes(word))) continue;
  const began = performance.now();
  ++done;
  try {
    const note = await check(given);
    console.log(`ok   ${name} ${note ?? `(${((performance.now() - began) / 1000).toFixed(1)} s)`}`);
  } catch (error) {
    ++failed;
    console.log(`FAIL ${name}: ${error.stack ?? error}`);
  }
}
console.log(`${done - failed} of ${done} checks passed with ${process.env.CLIENT_NAME} ${version} on Node ${process.version}`);
process.exit(failed || !done ? 1 : 0);
