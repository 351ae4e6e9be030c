import { assert, assertEquals } from "@std/assert";

/**
 * Works, rests, and prints whether a collection was due before and after the rest, and how many
 * times smaller the heap became.
 */
const PROGRAM = `
import { IdleCollector } from "${new URL("v8_heap.ts", import.meta.url)}";
const rest = new IdleCollector(300_000_000);
rest.collect();
const early = rest.isDue;
let kept = [];
for (let i = 0; i < 2e6; i++) kept.push({ i });
kept = [];
const end = Date.now() + 20_000;
while (!rest.isDue && Date.now() < end);
const late = rest.isDue, before = Deno.memoryUsage().heapTotal;
rest.collect();
const factor = before / Deno.memoryUsage().heapTotal;
console.log(JSON.stringify([early, late, rest.isDue, factor > 3]));
`;

async function output(...flags: string[]): Promise<unknown> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", ...flags, PROGRAM],
    cwd: new URL("../..", import.meta.url),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("a collection is due after work, and frees its garbage", async () => {
  assertEquals(await output("--v8-flags=--expose-gc"), [false, true, false, true]);
});

Deno.test("without the collector's function a rest does nothing", async () => {
  const [, late, then] = await output() as boolean[];
  assertEquals([late, then], [true, false]);
});
