import { assertEquals } from "@std/assert";
import { cleanMappings, OwnImage } from "./own_image.ts";

const MAPS = `1000-3000 r--p 00000000 08:01 77                         /bin/x
3000-4000 r-xp 00002000 08:01 77                         /bin/x
4000-5000 r--p 00003000 08:01 77                         /bin/x
5000-6000 rw-p 00003000 08:01 77                         /bin/x
6000-7000 r-xp 00000000 08:01 78                         /bin/xy
7000-8000 r--p 00000000 00:00 0
8000-9000 r-xp 00003000 08:01 77                         /bin/x
`;

Deno.test("only text, and constants in front of it, of the file count", () => {
  assertEquals(cleanMappings(MAPS, "/bin/x"), [[0x1000, 0x2000], [0x3000, 0x1000], [
    0x8000,
    0x1000,
  ]]);
  assertEquals(cleanMappings("", "/bin/x"), []);
});

Deno.test("nothing that is let go of was ever written to", () => {
  const own = cleanMappings(Deno.readTextFileSync("/proc/self/maps"), Deno.execPath());
  const starts = new Set(own.map(([start]) => start.toString(16)));
  let isOwn = false, seen = 0;
  for (const line of Deno.readTextFileSync("/proc/self/smaps").split("\n")) {
    const head = /^([0-9a-f]+)-[0-9a-f]+ /.exec(line);
    if (head !== null) isOwn = starts.has(head[1] ?? "");
    if (!isOwn || !line.startsWith("Anonymous:")) continue;
    assertEquals(/ 0 kB$/.test(line), true, line);
    seen++;
  }
  assertEquals(seen, own.length);
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
