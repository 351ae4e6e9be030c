/** Tests of line_discipline.ts and eraser.ts: typed bytes, and what readers and the screen get. */

import { assertEquals } from "@std/assert";
import { EAGAIN } from "../../../ffi/abi/errno.ts";
import * as T from "../../../ffi/abi/termios.ts";
import { TerminalLab, TestGroup, TestSession } from "./terminal_testing.ts";
import { fromText } from "../../core/bytes.ts";

const NOTHING = -EAGAIN;

function quiet(): TerminalLab {
  const lab = new TerminalLab();
  lab.set((s) => s.lflag &= ~T.ECHO);
  return lab;
}

/** A terminal with a foreground group 7 that signals are sent to. */
function controlled(): TerminalLab {
  const lab = new TerminalLab();
  const session = new TestSession(7);
  lab.terminal.session = session;
  lab.terminal.foreground = new TestGroup(7, session);
  return lab;
}

Deno.test("a line can be read when it is complete, and is read line by line", () => {
  const lab = quiet();
  lab.type("one");
  assertEquals(lab.read(), NOTHING);
  lab.type("\ntwo\nthr");
  assertEquals(lab.read(), "one\n");
  assertEquals(lab.read(2), "tw");
  assertEquals(lab.read(), "o\n");
  assertEquals(lab.read(), NOTHING);
});

Deno.test("typed text is echoed, a return as a new line", () => {
  const lab = new TerminalLab();
  lab.type("ab\r");
  assertEquals(lab.screen(), "ab\r\n");
  assertEquals(lab.read(), "ab\n");
});

Deno.test("VERASE takes one character back, on the screen too", () => {
  const lab = new TerminalLab();
  lab.type("\x7fabc\x7f\x7fd\n");
  assertEquals(lab.screen(), "abc\b \b\b \bd\r\n");
  assertEquals(lab.read(), "ad\n");
});

Deno.test("VERASE does not reach into the line before", () => {
  const lab = quiet();
  lab.type("a\n\x7f\x7fb\n");
  assertEquals(lab.read(), "a\n");
  assertEquals(lab.read(), "b\n");
});

Deno.test("VERASE takes whole UTF-8 characters with IUTF8, bytes without", () => {
  const lab = quiet();
  lab.type(fromText("aé€\x7f\x7f\n"));
  assertEquals(lab.read(), "a\xc3\xa9\xe2\n");
  lab.set((s) => s.iflag |= T.IUTF8);
  lab.type(fromText("aé€\x7f\x7f\n"));
  assertEquals(lab.read(), "a\n");
  lab.type("\x80\x81\x7f\n");
  assertEquals(lab.read(), "\x80\x81\n");
});

Deno.test("an erased tab goes back to where it began", () => {
  const lab = new TerminalLab();
  lab.type("ab\tc\x7f\x7f");
  assertEquals(lab.screen(), "ab\tc\b \b" + "\b".repeat(6));
  const prompt = new TerminalLab();
  prompt.write("> ");
  prompt.type("a\t\x7f");
  assertEquals(prompt.screen(), "> a\t" + "\b".repeat(5));
});

Deno.test("VWERASE erases a word and the characters after it", () => {
  const lab = new TerminalLab();
  lab.type("one two_2 .\x17!\n");
  assertEquals(lab.screen(), "one two_2 ." + "\b \b".repeat(7) + "!\r\n");
  assertEquals(lab.read(), "one !\n");
});

Deno.test("VKILL takes the line: visibly, by a new line, or only in memory", () => {
  const lab = new TerminalLab();
  lab.type("abc\x15d\n");
  assertEquals(lab.screen(), "abc" + "\b \b".repeat(3) + "d\r\n");
  lab.set((s) => s.lflag &= ~T.ECHOKE);
  lab.type("abc\x15d\n");
  assertEquals(lab.screen(), "abc^U\r\nd\r\n");
  lab.set((s) => s.lflag &= ~T.ECHO);
  lab.type("abc\x15d\n");
  assertEquals([lab.read(), lab.read(), lab.read()], ["d\n", "d\n", "d\n"]);
});

Deno.test("without ECHOE the erase character is shown; with ECHOPRT the erased text", () => {
  const lab = new TerminalLab();
  lab.set((s) => s.lflag &= ~T.ECHOE);
  lab.type("ab\x7f\n");
  assertEquals(lab.screen(), "ab^?\r\n");
  lab.set((s) => s.lflag |= T.ECHOE | T.ECHOPRT);
  lab.type("abc\x7f\x7fd\n");
  assertEquals(lab.screen(), "abc\\cb/d\r\n");
});

Deno.test("control characters are shown as ^X, or as they are without ECHOCTL", () => {
  const lab = new TerminalLab();
  lab.type("\x01\x1b[A\x7f\x7f\x7f\x7f");
  assertEquals(lab.screen(), "^A^[[A" + "\b \b".repeat(6));
  lab.set((s) => s.lflag &= ~T.ECHOCTL);
  lab.type("\x01\t");
  assertEquals(lab.screen(), "\x01\t");
});

Deno.test("VEOF ends a line without being read, and alone is the end of the file", () => {
  const lab = quiet();
  lab.type("ab\x04");
  assertEquals(lab.read(), "ab");
  assertEquals(lab.read(), NOTHING);
  lab.type("\x04\x04x\n");
  assertEquals([lab.read(), lab.read(), lab.read()], ["", "", "x\n"]);
});

Deno.test("a VEOF after a read that fills its buffer is no end of the file", () => {
  const lab = quiet();
  lab.type("abc\x04");
  assertEquals(lab.read(3), "abc");
  assertEquals(lab.read(3), NOTHING);
});

Deno.test("VEOL and VEOL2 end lines and are read", () => {
  const lab = quiet();
  lab.set((s) => {
    s.cc[T.VEOL] = 0x21;
    s.cc[T.VEOL2] = 0x3f;
  });
  lab.type("a!b?c\n");
  assertEquals([lab.read(), lab.read(), lab.read()], ["a!", "b?", "c\n"]);
  lab.set((s) => s.lflag &= ~T.IEXTEN);
  lab.type("b?c\n");
  assertEquals(lab.read(), "b?c\n");
});

Deno.test("VLNEXT takes the next character literally", () => {
  const lab = controlled();
  lab.type("\x16\x03\x16\x7f\x16\n\n");
  assertEquals(lab.screen(), "^\b^C^\b^?^\b^J\r\n");
  assertEquals(lab.read(), "\x03\x7f\n\n");
  assertEquals(lab.hooks.sent, []);
});

Deno.test("VREPRINT shows the line again", () => {
  const lab = new TerminalLab();
  lab.type("ab\x01\x12");
  assertEquals(lab.screen(), "ab^A^R\r\nab^A");
});

Deno.test("IGNCR, ICRNL and INLCR", () => {
  const lab = quiet();
  lab.set((s) => s.iflag |= T.INLCR);
  lab.type("a\n\r");
  assertEquals(lab.read(), "a\r\n");
  lab.set((s) => s.iflag = T.IGNCR);
  lab.type("b\r\n");
  assertEquals(lab.read(), "b\n");
});

Deno.test("ISTRIP and IUCLC change typed characters", () => {
  const lab = quiet();
  lab.set((s) => s.iflag |= T.ISTRIP | T.IUCLC);
  lab.type("\xc1BC\n");
  assertEquals(lab.read(), "abc\n");
});

Deno.test("PARMRK doubles 0xff", () => {
  const lab = quiet();
  lab.set((s) => s.iflag |= T.PARMRK);
  lab.type("a\xffb\n");
  assertEquals(lab.read(), "a\xff\xffb\n");
});

Deno.test("signal characters reach the foreground group and flush the input", () => {
  const lab = controlled();
  lab.type("abc\x03");
  assertEquals(lab.hooks.sent, ["7:2"]);
  assertEquals(lab.screen(), "^C");
  lab.type("d\n");
  assertEquals(lab.read(), "d\n");
  lab.type("\x1c\x1a");
  assertEquals(lab.hooks.sent, ["7:2", "7:3", "7:20"]);
});

Deno.test("a signal drops output that the master cannot have yet", () => {
  const lab = controlled();
  for (let i = 0; i < 5; i++) lab.write("x".repeat(1000));
  lab.type("\x03");
  assertEquals(lab.screen(), "x".repeat(4095) + "^C");
});

Deno.test("with NOFLSH a signal flushes nothing", () => {
  const lab = controlled();
  lab.set((s) => s.lflag |= T.NOFLSH);
  lab.type("ab\x03c\n");
  assertEquals(lab.read(), "abc\n");
  assertEquals(lab.screen(), "ab^Cc\r\n");
  assertEquals(lab.hooks.sent, ["7:2"]);
});

Deno.test("without ISIG signal characters are characters", () => {
  const lab = controlled();
  lab.set((s) => s.lflag &= ~T.ISIG);
  lab.type("a\x03\n");
  assertEquals(lab.read(), "a\x03\n");
  assertEquals(lab.hooks.sent, []);
});

Deno.test("VSTOP and VSTART hold output and echoes", () => {
  const lab = new TerminalLab();
  lab.type("\x13");
  assertEquals(lab.write("held"), -EAGAIN);
  lab.type("a");
  assertEquals(lab.screen(), NOTHING);
  lab.type("\x11");
  assertEquals(lab.screen(), "a");
  assertEquals(lab.write("held"), 4);
  lab.set((s) => s.iflag &= ~T.IXON);
  lab.type("\x13\n");
  assertEquals(lab.read(), "a\x13\n");
});

Deno.test("IXANY lets any character start the output again", () => {
  const lab = quiet();
  lab.set((s) => s.iflag |= T.IXANY);
  lab.type("\x13");
  assertEquals(lab.write("x"), -EAGAIN);
  lab.type("q");
  assertEquals(lab.write("x"), 1);
});

Deno.test("turning IXON off starts stopped output", () => {
  const lab = quiet();
  lab.type("\x13");
  lab.set((s) => s.iflag &= ~T.IXON);
  assertEquals(lab.write("x"), 1);
});

Deno.test("ECHONL echoes the new line alone", () => {
  const lab = quiet();
  lab.set((s) => s.lflag |= T.ECHONL);
  lab.type("secret\n");
  assertEquals(lab.screen(), "\r\n");
});

Deno.test("a line longer than the buffer loses its middle, never its end", () => {
  const lab = quiet();
  assertEquals(lab.type("x".repeat(10000)), 10000);
  assertEquals(lab.type("yz\n"), 3);
  const line = lab.read();
  assertEquals(line, "x".repeat(4095) + "\n");
});

Deno.test("lines that are not read fill the buffers, and then the master waits", () => {
  const lab = quiet();
  const text = "0123456\n".repeat(4096);
  const taken = lab.type(text);
  assertEquals(taken, 4095 + 8192);
  assertEquals(lab.type("z"), NOTHING);
  let got = "";
  for (let line = lab.read(); typeof line === "string"; line = lab.read()) got += line;
  assertEquals(got, text.slice(0, taken - taken % 8));
});

Deno.test("switching ICANON off makes a begun line readable; on makes it a line", () => {
  const lab = quiet();
  lab.type("half");
  lab.set((s) => s.lflag &= ~T.ICANON);
  assertEquals(lab.read(2), "ha");
  lab.set((s) => s.lflag |= T.ICANON);
  assertEquals(lab.read(), "lf");
});

Deno.test("raw input passes every byte", () => {
  const lab = new TerminalLab();
  lab.set((s) => s.iflag = s.lflag = 0);
  let all = "";
  for (let c = 0; c < 256; c++) all += String.fromCharCode(c);
  lab.type(all);
  assertEquals(lab.read(), all);
  assertEquals(lab.screen(), NOTHING);
});

Deno.test("with EXTPROC the discipline passes everything to the other side", () => {
  const lab = controlled();
  lab.set((s) => s.lflag |= T.EXTPROC);
  lab.type("a\x03\x7f");
  assertEquals(lab.read(), "a\x03\x7f");
  assertEquals(lab.screen(), NOTHING);
  assertEquals(lab.hooks.sent, []);
});
