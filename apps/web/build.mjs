// Bundles the page and writes it, compressed, as C++: node build.mjs OUT.cc
// Run by tools/build_web.sh in a folder where `npm ci` has been.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const LIMIT = 350_000; // bytes of all files, compressed

const bundle = await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2020"],
  jsx: "automatic",
  jsxImportSource: "preact",
  banner: { js: `/*! Preact:\n${readFileSync("preact-license.txt", "utf8")}*/` },
  write: false,
  logLevel: "warning",
});

const files = [
  ["index.html", "text/html; charset=utf-8", readFileSync("index.html")],
  ["icon.svg", "image/svg+xml", readFileSync("icon.svg")],
];
for (const output of bundle.outputFiles) {
  const name = output.path.endsWith(".css") ? "app.css" : "app.js";
  const type = name === "app.css" ? "text/css" : "text/javascript";
  files.push([name, `${type}; charset=utf-8`, Buffer.from(output.contents)]);
}

let code = `// Written by apps/web/build.mjs.
#include "server/page/page_files.h"

namespace galen::server {
namespace {
`;
let table = "";
let total = 0;
files.forEach(([name, type, bytes], i) => {
  const packed = gzipSync(bytes, { level: 9 });
  packed[9] = 255; // the operating system that packed it: unknown, so that the bytes are the same everywhere
  total += packed.length;
  const tag = createHash("sha256").update(bytes).digest("hex").slice(0, 32);
  const lines = [];
  for (let at = 0; at < packed.length; at += 32) lines.push(`    ${[...packed.subarray(at, at + 32)].join(",")},`);
  code += `\nconst unsigned char kFile${i}[] = {\n${lines.join("\n")}\n};\n`;
  table += `      {"${name}", "${type}", "\\"${tag}\\"",\n       {reinterpret_cast<const char*>(kFile${i}), sizeof(kFile${i})}},\n`;
});
code += `
}  // namespace

const std::vector<PageFile>& PageFiles() {
  static const std::vector<PageFile> files = {
${table}  };
  return files;
}

}  // namespace galen::server
`;
if (total > LIMIT) {
  console.error(`the page has ${total} bytes compressed, above ${LIMIT}`);
  process.exit(1);
}
writeFileSync(process.argv[2], code);
console.log(`the page: ${files.length} files, ${total} bytes compressed`);
