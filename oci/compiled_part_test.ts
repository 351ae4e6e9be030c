import { assertEquals } from "@std/assert";
import { compiledCodeIn, rehearsedCode, runCompiled, withTrailer } from "./compiled_part.ts";

Deno.test("compiled code is found at the end of a file, and only there", async () => {
  const path = await Deno.makeTempFile();
  try {
    const code = Uint8Array.of(1, 2, 3, 4, 5);
    for (const size of [0, 7, 16, 4096]) {
      await Deno.writeFile(path, new Uint8Array(size));
      assertEquals(compiledCodeIn(path), null);
      await Deno.writeFile(path, withTrailer(code), { append: true });
      assertEquals(compiledCodeIn(path), code);
    }
    await Deno.writeFile(path, Uint8Array.of(0), { append: true });
    assertEquals(compiledCodeIn(path), null);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a length that the file does not have is no code", async () => {
  const path = await Deno.makeTempFile();
  try {
    const bytes = withTrailer(new Uint8Array(100));
    for (const cut of [1, 50, 100]) {
      await Deno.writeFile(path, bytes.subarray(cut));
      assertEquals(compiledCodeIn(path), null);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a text runs by the code of its rehearsal, and without if V8 refuses it", async () => {
  const text = "(async () => { globalThis.dvisorPlayed = (globalThis.dvisorPlayed ?? 0) + 1 })()";
  const played = () => Reflect.get(globalThis, "dvisorPlayed");
  assertEquals(rehearsedCode(), null);
  globalThis.dvisorRehearsal = { script: null };
  try {
    await runCompiled(text, null);
    const path = await Deno.makeTempFile();
    await Deno.writeFile(path, rehearsedCode() ?? new Uint8Array());
    const code = compiledCodeIn(path);
    await Deno.remove(path);
    await runCompiled(text, code);
    assertEquals(played(), 2);
    await runCompiled(text, Uint8Array.of(1, 2, 3, 4));
    assertEquals(played(), 3);
  } finally {
    globalThis.dvisorRehearsal = undefined;
    Reflect.deleteProperty(globalThis, "dvisorPlayed");
  }
});
