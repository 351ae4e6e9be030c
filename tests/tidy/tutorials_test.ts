/** The changes that tutorials show can be made: their context is once in the file they name. */

import { assert, assertEquals } from "@std/assert";

const PLACE = new URL("../../docs/tutorials/", import.meta.url);
const ROOT = new URL("../../", import.meta.url);

interface Change {
  readonly page: string;
  readonly path: string;
  /** The lines of the diff without those that it adds. */
  readonly before: string;
}

function changesOf(page: string): Change[] {
  const text = Deno.readTextFileSync(new URL(page, PLACE));
  return [...text.matchAll(/^```diff (\S+)\n([^]*?)^```$/gm)].map(([, path = "", body = ""]) => {
    const lines = body.split("\n").slice(0, -1).filter((line) => !line.startsWith("+"));
    return { page, path, before: lines.map((line) => `${line.slice(1)}\n`).join("") };
  });
}

Deno.test("the context of each change in a tutorial is once in its file", () => {
  const pages = [...Deno.readDirSync(PLACE)].map((entry) => entry.name);
  const changes = pages.flatMap(changesOf);
  assert(changes.length > 0, "no tutorial shows a change");
  for (const { page, path, before } of changes) {
    const found = Deno.readTextFileSync(new URL(path, ROOT)).split(before).length - 1;
    assertEquals(found, 1, `${page}: ${path} has this ${found} times:\n${before}`);
  }
});
