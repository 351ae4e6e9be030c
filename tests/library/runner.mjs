/**
 * Runs the suite in Node, Bun or Deno.
 *
 *     runner.mjs LIBRARY SUITE SCRIPT [OPTIONS [FILTER]]
 *
 * LIBRARY, SUITE and SCRIPT are the modules as this runtime can import them: mod.ts, suite.ts and
 * script.ts, or what was made of them. OPTIONS is JSON for each `Sandbox.create`, FILTER a
 * regular expression for names of cases. The exit code is 1 when a case fails.
 */

import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [, , libraryPath, suitePath, script, create = "{}", filter = ""] = process.argv;
const urlOf = (path) => /^[./]/.test(path) ? pathToFileURL(resolve(path)).href : path;
const library = await import(urlOf(libraryPath));
const { cases, missingFor } = await import(urlOf(suitePath));
const options = {
  create: JSON.parse(create),
  command: [process.execPath, ...("Deno" in globalThis ? ["run", "-A", "--quiet"] : [])],
  library: urlOf(libraryPath),
  script: resolve(script),
};

let failed = 0, passed = 0, skipped = 0;
for (const one of cases) {
  if (!new RegExp(filter).test(one.name)) continue;
  const missing = await missingFor(one);
  if (missing !== null) {
    skipped++;
    console.log(`skip ${one.name}: ${missing}`);
    continue;
  }
  try {
    await one.run(library, options);
    passed++;
    console.log(`ok   ${one.name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${one.name}`);
    console.log(error);
  }
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
