import { assert, assertEquals } from "@std/assert";
import { compiled, rehearsedCode } from "./compiled_part.ts";

Deno.test("a text runs by the code of its rehearsal, and without if V8 refuses it", async () => {
  const text = "(async () => { globalThis.dvisorPlayed = (globalThis.dvisorPlayed ?? 0) + 1 })()";
  const played = () => Reflect.get(globalThis, "dvisorPlayed");
  assertEquals(rehearsedCode(), null);
  globalThis.dvisorRehearsal = { script: null };
  try {
    await (await compiled(text, null)).runInThisContext();
    const code = rehearsedCode();
    assert(code !== null && code.length > 0);
    await (await compiled(text, code)).runInThisContext();
    assertEquals(played(), 2);
    await (await compiled(text, Uint8Array.of(1, 2, 3, 4))).runInThisContext();
    assertEquals(played(), 3);
  } finally {
    globalThis.dvisorRehearsal = undefined;
    Reflect.deleteProperty(globalThis, "dvisorPlayed");
  }
});
