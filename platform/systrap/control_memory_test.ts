import { assert, assertEquals } from "@std/assert";
import { ControlMemory } from "./control_memory.ts";
import { moveWords } from "./slot.ts";

Deno.test("words and registers beyond 2 GiB of the control file are reached", () => {
  const control = new ControlMemory(16384);
  try {
    let at = 0;
    while (at < 2 ** 31) {
      at = control.takeChunk();
      assert(at > 0, "the control file has chunks beyond 2 GiB");
    }
    control.setWord(at, 0x123456789abcd);
    assertEquals(control.word(at), 0x123456789abcd);
    moveWords(control.i32, at / 4, [0], control.i32, at / 4, [2]);
    assertEquals(control.word(at + 8), 0x123456789abcd);
  } finally {
    control.close();
  }
});
