/** Test of write_run.ts: how many pages sequential and other writers copy. */

import { assertEquals } from "@std/assert";
import { WINDOW, WriteRun } from "./write_run.ts";

Deno.test("sequential writes copy twice as much each time, up to 1 MiB; others a window", () => {
  const run = new WriteRun(), sizes: number[] = [];
  for (let page = 3, i = 0; i < 7; i++) {
    const start = Math.floor(page / WINDOW) * WINDOW, pages = run.pagesFor(page);
    sizes.push(pages);
    run.onCopied(start + pages);
    page = start + pages + 5;
  }
  assertEquals(sizes, [16, 32, 64, 128, 256, 256, 256]);
  assertEquals(run.pagesFor(100_000), WINDOW);
  run.onCopied(100_016);
  assertEquals(run.pagesFor(99_000), WINDOW, "behind is not ahead");
});
