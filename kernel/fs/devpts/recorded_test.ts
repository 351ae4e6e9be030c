/**
 * Compares random settings, input and output with a pseudoterminal of Linux 6.18: each line of
 * recorded_cases.txt is a case, a list of operations with their results on the host.
 */

import { assertEquals } from "@std/assert";
import { O_NONBLOCK, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { TCIFLUSH, TCOFLUSH, TCXONC } from "../../../ffi/abi/ioctl.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { NO_MEMORY, TerminalLab } from "./terminal_testing.ts";

type Operation =
  /** Settings: iflag, oflag, lflag, control characters; with "flush" input is dropped first. */
  | ["set", number, number, number, string, string]
  /** A write at the master or at the slave, and how many bytes were taken. */
  | ["m" | "s", string, number]
  /** A read at the master or at the slave of at most so many bytes: text or -errno. */
  | ["rm" | "rs", number, string | number]
  /** FIONREAD of the slave. */
  | ["n", number]
  /** TIOCPKT, tcflush and tcflow. */
  | ["pkt" | "flush" | "flow", number];

function run(lab: TerminalLab, op: Operation): void {
  const { terminal } = lab;
  switch (op[0]) {
    case "set":
      if (op[5] === "flush") terminal.flushLine();
      lab.set((s) => {
        [, s.iflag, s.oflag, s.lflag] = op;
        s.cc.set(stringToBytes(op[4]));
      });
      break;
    case "m":
      return assertEquals(lab.type(op[1]), op[2]);
    case "s":
      return assertEquals(lab.write(op[1]), op[2]);
    case "rm":
      return assertEquals(lab.screen(op[1]), op[2]);
    case "rs":
      return assertEquals(lab.read(op[1]), op[2]);
    case "n":
      return assertEquals(terminal.line.readable, op[1]);
    case "pkt":
      if (op[1] !== 0 && !terminal.isPacket) terminal.packetStatus = 0;
      terminal.isPacket = op[1] !== 0;
      break;
    case "flush":
      if (op[1] !== TCOFLUSH) terminal.flushInput();
      if (op[1] !== TCIFLUSH) terminal.flushOutput();
      break;
    case "flow":
      assertEquals(lab.slave.ioctl(TCXONC, op[1], NO_MEMORY), 0);
  }
}

const recorded = Deno.readTextFileSync(new URL("recorded_cases.txt", import.meta.url));

for (const [i, line] of recorded.trimEnd().split("\n").entries()) {
  Deno.test(`the terminal does what Linux did in recorded case ${i + 1}`, () => {
    const operations: Operation[] = JSON.parse(line);
    const lab = new TerminalLab(O_RDWR | O_NONBLOCK);
    for (const op of operations) run(lab, op);
  });
}
