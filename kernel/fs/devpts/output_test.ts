/** Tests of output.ts: OPOST, columns, and output that the master does not read. */

import { assertEquals } from "@std/assert";
import { EAGAIN, EFAULT } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/termios.ts";
import { BufferCursor } from "../../vfs/vfs_testing.ts";
import { TerminalLab } from "./terminal_testing.ts";

function shown(oflag: number, text: string): string | number {
  const lab = new TerminalLab();
  lab.set((s) => s.oflag = oflag);
  assertEquals(lab.write(text), text.length);
  return lab.screen();
}

Deno.test("without OPOST the output is the written text", () => {
  assertEquals(shown(T.ONLCR | T.XTABS, "a\tb\nc"), "a\tb\nc");
});

Deno.test("ONLCR, OCRNL, ONOCR and OLCUC", () => {
  assertEquals(shown(T.OPOST | T.ONLCR, "a\n\nb\r"), "a\r\n\r\nb\r");
  assertEquals(shown(T.OPOST | T.OCRNL, "a\rb"), "a\nb");
  assertEquals(shown(T.OPOST | T.ONOCR, "\ra\r\rb"), "a\rb");
  assertEquals(shown(T.OPOST | T.OLCUC, "az\xe9-\xf7"), "AZ\xc9-\xf7");
});

Deno.test("XTABS makes spaces up to the next stop", () => {
  assertEquals(shown(T.OPOST | T.XTABS, "ab\tc\n\td"), "ab      c\n       d");
  assertEquals(
    shown(T.OPOST | T.XTABS | T.ONLCR, "ab\b\t\x01\n\td"),
    "ab\b       \x01\r\n        d",
  );
});

Deno.test("a new line moves the column only with ONLCR or ONLRET", () => {
  assertEquals(shown(T.OPOST | T.XTABS | T.ONLRET, "abc\n\t"), "abc\n        ");
  assertEquals(shown(T.OPOST | T.XTABS, "abc\n\t"), "abc\n     ");
});

Deno.test("UTF-8 characters take one column with IUTF8", () => {
  const lab = new TerminalLab();
  lab.set((s) => {
    s.oflag |= T.XTABS;
    s.iflag |= T.IUTF8;
  });
  lab.write("\xc3\xa9\t|");
  assertEquals(lab.screen(), "\xc3\xa9       |");
});

Deno.test("output that the master does not read makes writers wait", () => {
  const lab = new TerminalLab();
  lab.set((s) => s.oflag = 0);
  assertEquals(lab.write("x".repeat(20000)), 12288);
  assertEquals(lab.write("y"), -EAGAIN);
  assertEquals(lab.slave.poll() & 4, 0);
  assertEquals(lab.screen(100), "x".repeat(100));
  assertEquals(lab.slave.poll() & 4, 4);
  assertEquals(lab.write("y".repeat(200)), 100);
});

Deno.test("a new line is never torn from its return", () => {
  const lab = new TerminalLab();
  let text = "";
  for (let n = lab.write("\n"); n === 1; n = lab.write("\n")) text += "\r\n";
  assertEquals(lab.screen(), text);
});

Deno.test("echoes wait for room and come before later output", () => {
  const lab = new TerminalLab();
  lab.set((s) => s.oflag = 0);
  lab.write("x".repeat(20000));
  lab.type("ab");
  assertEquals(lab.screen(), "x".repeat(12288));
  lab.write("c");
  assertEquals(lab.screen(), "abc");
});

Deno.test("echoes that never find room forget their oldest", () => {
  const lab = new TerminalLab();
  lab.set((s) => s.oflag = 0);
  lab.write("x".repeat(20000));
  for (let i = 0; i < 3000; i++) lab.type("\x01b");
  lab.terminal.flushMasterInput();
  lab.write("|");
  const text = `${lab.screen()}`;
  assertEquals(text.length > 3000 && text.length < 4096, true);
  assertEquals(/^b?(\^Ab)*\|$/.test(text), true);
});

Deno.test("bad user memory: the bytes before it count", () => {
  const lab = new TerminalLab();
  const text = new Uint8Array(3000).fill(0x61);
  assertEquals(lab.slave.write(new BufferCursor(text, 0), -1), -EFAULT);
  assertEquals(lab.slave.write(new BufferCursor(text, 2500), -1), 2500);
  assertEquals(lab.terminal.writeInput(new BufferCursor(text, 0)), -EFAULT);
  assertEquals(lab.terminal.readOutput(new BufferCursor(new Uint8Array(10), 0)), -EFAULT);
  lab.terminal.flushInput();
  lab.type("ok\n");
  assertEquals(lab.slave.read(new BufferCursor(new Uint8Array(10), 0), -1), -EFAULT);
  assertEquals(lab.read(), "ok\n");
});
