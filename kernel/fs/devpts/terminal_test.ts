/**
 * Tests of terminal.ts, slave_file.ts and terminal_ioctl.ts: VMIN and VTIME, wake-ups, packet mode,
 * hang-ups.
 */

import { assertEquals } from "@std/assert";
import { O_NONBLOCK, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { EAGAIN, EIO, ENOTTY } from "../../../ffi/abi/errno.ts";
import * as I from "../../../ffi/abi/ioctl.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI } from "../../../ffi/abi/poll.ts";
import * as T from "../../../ffi/abi/termios.ts";
import { Waiter } from "../../core/wait.ts";
import { BufferCursor } from "../../vfs/vfs_testing.ts";
import { NO_MEMORY, TerminalLab } from "./terminal_testing.ts";

const POLLS = POLLIN | POLLOUT | POLLPRI | POLLERR | POLLHUP;

function raw(min: number, time: number, flags: number = O_RDWR): TerminalLab {
  const lab = new TerminalLab(flags);
  lab.set((s) => {
    s.iflag = s.oflag = s.lflag = 0;
    s.cc[T.VMIN] = min;
    s.cc[T.VTIME] = time;
  });
  return lab;
}

class Count extends Waiter {
  wakes: number = 0;
  override onWake(_events: number): void {
    this.wakes++;
  }
}

Deno.test("VMIN 0, VTIME 0: a read never waits", () => {
  const lab = raw(0, 0);
  assertEquals(lab.read(), "");
  lab.type("ab");
  assertEquals(lab.read(1), "a");
  assertEquals(lab.read(), "b");
});

Deno.test("VMIN 3: a read waits for three bytes, or for as many as it wants", () => {
  const lab = raw(3, 0);
  lab.type("ab");
  assertEquals(lab.read(), -EAGAIN);
  assertEquals(lab.slave.waitTime, Infinity);
  assertEquals(lab.read(2), "ab");
  lab.type("cdef");
  assertEquals(lab.read(), "cdef");
});

Deno.test("VMIN 3 and O_NONBLOCK: a read returns the bytes so far", () => {
  const lab = raw(3, 0, O_RDWR | O_NONBLOCK);
  assertEquals(lab.read(), -EAGAIN);
  lab.type("ab");
  assertEquals(lab.read(), "ab");
});

Deno.test("VTIME counts from the start without VMIN, between bytes with it", () => {
  const lab = raw(0, 3);
  assertEquals(lab.read(), -EAGAIN);
  assertEquals(lab.slave.waitTime, 300_000_000);
  assertEquals(lab.slave.readAvailable(new BufferCursor(new Uint8Array(4))), 0);
  const both = raw(3, 2);
  assertEquals(both.slave.waitTime, Infinity);
  both.type("a");
  assertEquals(both.read(), -EAGAIN);
  assertEquals(both.slave.waitTime, 200_000_000);
  assertEquals(both.slave.readAvailable(new BufferCursor(new Uint8Array(4))), 1);
});

Deno.test("poll counts VMIN only without VTIME", () => {
  const lab = raw(3, 0);
  lab.type("ab");
  assertEquals(lab.slave.poll() & POLLIN, 0);
  lab.type("c");
  assertEquals(lab.slave.poll() & POLLIN, POLLIN);
  const timed = raw(3, 1);
  timed.type("a");
  assertEquals(timed.slave.poll() & POLLIN, POLLIN);
});

Deno.test("readers and writers on both sides are woken", () => {
  const lab = raw(1, 0);
  const reader = new Count(), master = new Count();
  lab.terminal.slaveQueue.add(reader, POLLIN);
  lab.terminal.masterQueue.add(master, POLLIN);
  lab.type("x");
  assertEquals([reader.wakes, master.wakes], [1, 0]);
  lab.write("y");
  assertEquals([reader.wakes, master.wakes], [1, 1]);
  const writer = new Count();
  lab.terminal.slaveQueue.add(writer, POLLOUT);
  lab.write("z".repeat(20000));
  assertEquals(writer.wakes, 0);
  lab.screen(100);
  assertEquals(writer.wakes, 1);
});

Deno.test("a master that fills up is woken when the slave reads", () => {
  const lab = raw(1, 0);
  lab.type("x".repeat(20000));
  assertEquals(lab.type("y"), -EAGAIN);
  const writer = new Count();
  lab.terminal.masterQueue.add(writer, POLLOUT);
  assertEquals(lab.read(1), "x");
  assertEquals(writer.wakes, 1);
  assertEquals(lab.type("yy"), 1);
});

Deno.test("packet mode: data and events are distinguished", () => {
  const lab = new TerminalLab();
  const { terminal } = lab;
  terminal.isPacket = true;
  assertEquals(lab.screen(), -EAGAIN);
  lab.write("hi");
  assertEquals(lab.screen(2), "\0h");
  assertEquals(lab.screen(), "\0i");
  lab.type("\x13");
  assertEquals(terminal.pollMaster() & POLLS, POLLIN | POLLPRI | POLLOUT);
  assertEquals(lab.screen(), String.fromCharCode(I.TIOCPKT_STOP));
  lab.type("\x11");
  assertEquals(lab.screen(), String.fromCharCode(I.TIOCPKT_START));
  lab.set((s) => s.iflag &= ~T.IXON);
  assertEquals(lab.screen(), String.fromCharCode(I.TIOCPKT_NOSTOP));
  lab.set((s) => {
    s.iflag |= T.IXON;
    s.lflag |= T.EXTPROC;
  });
  assertEquals(lab.screen(), String.fromCharCode(I.TIOCPKT_DOSTOP | I.TIOCPKT_IOCTL));
  terminal.flushInput();
  terminal.flushOutput();
  const flushed = I.TIOCPKT_FLUSHREAD | I.TIOCPKT_FLUSHWRITE;
  assertEquals(lab.screen(), String.fromCharCode(flushed));
});

Deno.test("without slaves the master reads queued bytes, then EIO, until one opens", () => {
  const lab = raw(1, 0);
  const second = lab.open(O_RDWR);
  lab.slave.drop();
  assertEquals(lab.screen(), -EAGAIN);
  lab.write("bye", second);
  second.drop();
  assertEquals(lab.terminal.pollMaster() & POLLS, POLLIN | POLLOUT | POLLHUP);
  assertEquals(lab.screen(), "bye");
  assertEquals(lab.screen(), -EIO);
  lab.open(O_RDWR);
  assertEquals(lab.screen(), -EAGAIN);
});

Deno.test("bytes typed before a slave opens are kept", () => {
  const lab = raw(1, 0);
  lab.slave.drop();
  lab.type("early");
  const late = lab.open(O_RDWR);
  assertEquals(lab.read(9, late), "early");
});

Deno.test("a closed master hangs up: EIO for a waiting reader, then the end of the file", () => {
  const lab = new TerminalLab();
  assertEquals(lab.read(), -EAGAIN);
  lab.terminal.masterClosed();
  assertEquals(lab.read(), -EIO);
  assertEquals(lab.read(), "");
  assertEquals(lab.write("x"), -EIO);
  assertEquals(lab.slave.poll() & POLLS, POLLIN | POLLOUT | POLLERR | POLLHUP);
  assertEquals(lab.slave.ioctl(I.TCGETS, 0, NO_MEMORY), -EIO);
  assertEquals(lab.slave.ioctl(I.TIOCSPGRP, 0, NO_MEMORY), -ENOTTY);
});

Deno.test("TCXONC stops output past START; TCIOFF and TCION send their characters", () => {
  const lab = new TerminalLab();
  assertEquals(lab.slave.ioctl(I.TCXONC, I.TCOOFF, NO_MEMORY), 0);
  lab.type("\x11");
  assertEquals(lab.write("x"), -EAGAIN);
  assertEquals(lab.slave.ioctl(I.TCXONC, I.TCOON, NO_MEMORY), 0);
  assertEquals(lab.write("x"), 1);
  lab.slave.ioctl(I.TCXONC, I.TCIOFF, NO_MEMORY);
  lab.slave.ioctl(I.TCXONC, I.TCION, NO_MEMORY);
  assertEquals(lab.screen(), "x\x13\x11");
  assertEquals(lab.slave.ioctl(I.TCXONC, 9, NO_MEMORY), -22);
  assertEquals(lab.slave.ioctl(I.TCFLSH, 9, NO_MEMORY), -22);
});

Deno.test("ioctls: bad pointers, unknown requests, typing from inside", () => {
  const { slave } = new TerminalLab();
  for (const request of [I.TCGETS, I.TCSETS, I.TCGETS2, I.TCSETSF2, I.TCGETA, I.TCSETAW]) {
    assertEquals(slave.ioctl(request, 1, NO_MEMORY), -14);
  }
  for (const request of [I.TIOCGWINSZ, I.TIOCSWINSZ, I.FIONREAD, I.TIOCOUTQ, I.TIOCGETD]) {
    assertEquals(slave.ioctl(request, 1, NO_MEMORY), -14);
  }
  assertEquals(slave.ioctl(I.TIOCSTI, 1, NO_MEMORY), -EIO);
  assertEquals(slave.ioctl(I.TIOCGPTN, 1, NO_MEMORY), -ENOTTY);
  assertEquals(slave.ioctl(0x1234, 1, NO_MEMORY), -ENOTTY);
});
