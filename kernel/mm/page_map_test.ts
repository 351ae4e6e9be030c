import { assertEquals } from "@std/assert";
import { Random } from "../../tests/harness/seeded.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { PAGE_COW, PAGE_FILE, PAGE_PATCHED, PAGE_WATCHED, PageMap } from "./pages.ts";

Deno.test("renumber moves frames, and leaves out patched pages and what is only a shadow", () => {
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const map = new PageMap(TEST_ACCOUNT), expected: number[][] = [];
    const pages = new Array<number>(40).fill(0).map((_, i) => 10 * i).sort(() =>
      random.below(3) - 1
    );
    for (const page of pages) {
      const frame = random.below(4) === 0 ? -1 : 1000 + page;
      const isPatched = frame >= 0 && random.below(3) === 0;
      const isWatched = frame < 0 && random.below(2) === 0;
      const own = isPatched ? PAGE_COW | PAGE_FILE | PAGE_PATCHED : PAGE_COW;
      const flags = isWatched ? PAGE_WATCHED : frame < 0 ? 0 : own;
      map.insert(page, 2, frame, random.below(2) === 0 ? -1 : 5000 + page, flags);
      if (frame >= 0 ? !isPatched : isWatched) {
        expected.push([page, 2, frame < 0 ? -1 : frame + 7, -1, flags]);
      }
    }
    map.renumber({ of: (frame) => frame + 7, run: (_frame, most) => most });
    map.insert(4000, 1, 3, -1, 0);
    expected.push([4000, 1, 3, -1, 0]);
    const found = expected.map((_, i) => [
      ...[map.start(i), map.count(i), map.frame(i), map.shadow(i), map.flags(i)],
    ]);
    assertEquals(found, expected.sort((a, b) => a[0]! - b[0]!));
    assertEquals(map.length, expected.length);
  }
});

Deno.test("renumber splits an extent whose frames are apart in the copy", () => {
  const map = new PageMap(TEST_ACCOUNT);
  map.insert(10, 6, 100, -1, PAGE_COW);
  map.insert(20, 2, 300, -1, PAGE_COW);
  // Frames 102 and 103 have copies of their own.
  const own = (frame: number) => frame >= 102 && frame < 104;
  map.renumber({
    of: (first) => own(first) ? first + 1000 : first,
    run(first, most) {
      let n = 1;
      while (n < most && own(first + n) === own(first)) n++;
      return n;
    },
  });
  const found = [0, 1, 2, 3].map((i) => [map.start(i), map.count(i), map.frame(i)]);
  assertEquals(found, [[10, 2, 100], [12, 2, 1102], [14, 2, 104], [20, 2, 300]]);
  assertEquals(map.length, 4);
});
