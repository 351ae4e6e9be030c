/** Test of stepped_text.ts: a long text that several turns make. */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EACCES } from "../../../ffi/abi/errno.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { BufferCursor, TestHost } from "../../vfs/vfs_testing.ts";
import { GeneratedFs } from "./generated_fs.ts";
import { SteppedTextFile, type TextSteps } from "./stepped_text.ts";
import { TextInode } from "./text_inode.ts";

class Nothing extends TextInode {
  override render(): string {
    return "";
  }
}

/** The rows of a text, one for each step. */
class Rows implements TextSteps {
  text: string = "header\n";
  /** The longest text at the start of a step. */
  longest: number = 0;
  private left: number;

  constructor(count: number) {
    this.left = count;
  }
  step(): boolean {
    this.longest = Math.max(this.longest, this.text.length);
    this.text += `row ${this.left}\n`;
    return --this.left > 0;
  }
}

class RowsFile extends SteppedTextFile {
  rows: Rows = new Rows(200);

  protected override begin(): TextSteps {
    return this.rows = new Rows(200);
  }
}

Deno.test("a long text is read whole, and each turn makes bytes of its own rows only", () => {
  class Fs extends GeneratedFs {
    override readonly type = "rows";
    override readonly magic = 0;
    override readonly createError = EACCES;
    override readonly makeError = EACCES;
    override readonly root: Nothing = new Nothing(this, 1, 0o444);
  }
  const fs = new Fs(new Vfs(new TestHost())), file = new RowsFile(TEST_ACCOUNT, fs.root, 0);
  const want = "header\n" + Array.from({ length: 200 }, (_, i) => `row ${200 - i}\n`).join("");
  for (let round = 0; round < 2; round++) {
    const io = new BufferCursor(new Uint8Array(10_000));
    let turns = 1, n = file.read(io, 0);
    for (; file.needsTurn; turns++) n = file.read(io, 0);
    assertEquals([turns, new TextDecoder().decode(io.buffer.subarray(0, n))], [200, want]);
    assertEquals(file.rows.longest, "header\n".length);
  }
  file.drop();
});
