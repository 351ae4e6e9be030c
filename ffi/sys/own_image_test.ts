import { assertEquals } from "@std/assert";
import { cleanMappings, OwnImage } from "./own_image.ts";

const SMAPS = `1000-3000 r-xp 00000000 08:01 77 /bin/x
Rss: 8 kB
Anonymous:             0 kB
3000-4000 r--p 00002000 08:01 77 /bin/x
Anonymous:             4 kB
4000-5000 rw-p 00003000 08:01 77 /bin/x
Anonymous:             0 kB
5000-6000 r--p 00000000 08:01 78 /bin/xy
Anonymous:             0 kB
6000-7000 r--p 00000000 00:00 0
Anonymous:             0 kB
7000-8000 r--p 00003000 08:01 77 /bin/x
Anonymous:             0 kB
`;

Deno.test("only unwritten read-only mappings of the file count", () => {
  assertEquals(cleanMappings(SMAPS, "/bin/x"), [[0x1000, 0x2000], [0x7000, 0x1000]]);
  assertEquals(cleanMappings("", "/bin/x"), []);
});

Deno.test("the program goes on without its pages, and is smaller", () => {
  const image = OwnImage.find();
  assertEquals(image.lenBytes > 2 ** 20, true);
  const before = rssKiB();
  image.release();
  assertEquals(JSON.parse(JSON.stringify({ a: [1, "x"] })), { a: [1, "x"] });
  const after = rssKiB();
  assertEquals(after < before, true, `${after} KiB after ${before} KiB`);
});

function rssKiB(): number {
  return Number(/^Rss:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/smaps_rollup"))?.[1]);
}
