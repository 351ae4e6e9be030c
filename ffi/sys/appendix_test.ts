import { assertEquals } from "@std/assert";
import { Appendix, encodeAppendix } from "./appendix.ts";

async function withFile(test: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

const ENTRIES = new Map([
  ["text", new TextEncoder().encode("the text")],
  ["nothing", new Uint8Array()],
  ["code", Uint8Array.of(1, 2, 3)],
]);

Deno.test("entries are found at the end of a file, and only there", () =>
  withFile(async (path) => {
    for (const size of [0, 7, 16, 4096]) {
      await Deno.writeFile(path, new Uint8Array(size));
      assertEquals(Appendix.open(path), null);
      await Deno.writeFile(path, encodeAppendix(ENTRIES), { append: true });
      using appendix = Appendix.open(path);
      for (const [name, bytes] of ENTRIES) assertEquals(appendix?.read(name), bytes);
      assertEquals(appendix?.read("other"), null);
    }
    await Deno.writeFile(path, Uint8Array.of(0), { append: true });
    assertEquals(Appendix.open(path), null);
  }));

Deno.test("lengths that the file does not have are no appendix", () =>
  withFile(async (path) => {
    const bytes = encodeAppendix(ENTRIES);
    for (const cut of [1, 5, 12, bytes.length - 16]) {
      await Deno.writeFile(path, bytes.subarray(cut));
      assertEquals(Appendix.open(path), null);
    }
  }));
