import { assertEquals, assertNotEquals } from "@std/assert";
import { assemble } from "./native_assembly.ts";
import { placeData } from "./native_image.ts";
import { assembled, toText } from "./prebuilt.ts";

Deno.test("an image that was kept as text is the one that is assembled", async () => {
  const fresh = assemble();
  globalThis.dvisorPrebuilt = { native: toText(fresh) };
  try {
    assertEquals(await assembled("native", new URL("file:///nothing")), fresh);
  } finally {
    globalThis.dvisorPrebuilt = undefined;
  }
});

Deno.test("placeData writes the data page's address at each of its places, and no others", () => {
  const image = assemble(), before = image.elf.slice();
  assertEquals(image.patches.length > 5, true);
  placeData(image, 0x7000_0000_0000);
  const after = new DataView(image.elf.buffer);
  for (const at of image.patches) {
    assertEquals(Number(after.getBigUint64(at, true) >> 12n), 0x7_0000_0000);
  }
  const patched = new Set(
    image.patches.flatMap((at) => [0, 1, 2, 3, 4, 5, 6, 7].map((i) => at + i)),
  );
  const changed = before.reduce((n, byte, i) => n + (byte === image.elf[i] ? 0 : 1), 0);
  assertNotEquals(changed, 0);
  assertEquals(before.every((byte, i) => patched.has(i) || byte === image.elf[i]), true);
});
