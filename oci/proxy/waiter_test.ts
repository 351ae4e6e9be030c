import { assertEquals, assertStringIncludes } from "@std/assert";
import { AT_EMPTY_PATH, MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { Pollfd } from "../../ffi/abi/poll.ts";
import { SIG_BLOCK, SIGKILL, SIGSET_SIZE, SIGUSR1 } from "../../ffi/abi/signal.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, wExitStatus } from "../../ffi/abi/wait.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, memfdCreate, pipe, pwrite, read } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { Random } from "../../tests/harness/seeded.ts";
import { HostPty } from "../launch/host_pty.ts";
import {
  controlPair,
  PACKET_EXIT,
  PACKET_RESIZE,
  PACKET_SIGNAL,
} from "../protocol/launcher_channel.ts";
import { WaiterData } from "./waiter_data.ts";
import { putSignals, waiterImage } from "./waiter_image.ts";

const CONTROL = 100, TERMINAL = 101, STDERR = 2;

/** A pid that no process has. */
const NO_PID = 0x7ffffff0;

/**
 * A waiter as a child of the test; `signal` is the one that it passes on.
 *
 * @param terminal its terminal, whose size it sends; null: none
 */
function startWaiter(signal: number, sentryPid = NO_PID, terminal: number | null = null) {
  const { launcher: boot, bootFd } = controlPair();
  const { at } = WaiterData;
  const image = waiterImage((data, bytes) => {
    data.setInt32(at.control + Pollfd.at.fd, CONTROL, true);
    putSignals(bytes, [signal]);
    data.setInt32(at.sentryPid, sentryPid, true);
    data.setInt32(at.goferPid, NO_PID, true);
    data.setInt32(at.terminal, terminal === null ? -1 : TERMINAL, true);
    data.setUint32(at.sendsSize, terminal === null ? 0 : 1, true);
    data.setInt32(at.exitCode, -1, true);
  });
  const bytes = allocBuffer(image.length);
  bytes.set(image);
  const fd = check(memfdCreate("waiter", MFD_CLOEXEC), "memfd_create");
  check(pwrite(fd, addressOf(bytes), bytes.length, 0), "pwrite");
  const messages = pipe(0);
  if (typeof messages === "number") throw new Error(`pipe: ${messages}`);
  const set = new Uint8Array(SIGSET_SIZE);
  set[signal - 1 >> 3] = 1 << (signal - 1 & 7);
  const script = new SpawnScript()
    .call(N.SYS_rt_sigprocmask, SIG_BLOCK, set, 0, SIGSET_SIZE)
    .call(N.SYS_dup3, bootFd, CONTROL, 0)
    .call(N.SYS_dup3, messages[1], STDERR, 0)
    .callMayFail(N.SYS_dup3, terminal ?? -1, TERMINAL, 0)
    .call(N.SYS_execveat, fd, "", ["waiter"], [], AT_EMPTY_PATH);
  const { pid, pidfd } = spawn(script);
  for (const n of [fd, bootFd, messages[1], pidfd]) close(n);
  return { boot, pid, messages: messages[0] };
}

function exitOf(pid: number): number {
  assertEquals(syscall(N.SYS_wait4, pid, scratch.area(0), __WALL, 0), pid);
  return wExitStatus(scratch.dv.getInt32(scratch.areaOffset(0), true));
}

function textOf(fd: number): string {
  const n = read(fd, scratch.area(0), 4096);
  close(fd);
  const at = scratch.areaOffset(0);
  return new TextDecoder().decode(scratch.u8.slice(at, at + Math.max(n, 0)));
}

Deno.test("the waiter passes a signal on and exits with the code of the sandbox", () => {
  const { boot, pid, messages } = startWaiter(SIGUSR1);
  syscall(N.SYS_kill, pid, SIGUSR1);
  let packet = boot.receivePacket();
  while (packet === null) packet = boot.receivePacket();
  assertEquals(packet, { kind: PACKET_SIGNAL, a: SIGUSR1, b: 0 });
  // The waiter ignores packets of a kind that it does not know.
  boot.sendPacket(PACKET_RESIZE, 7, 7);
  boot.sendPacket(PACKET_EXIT, 42, 0);
  boot.close();
  assertEquals(exitOf(pid), 42);
  assertEquals(textOf(messages), "");
});

Deno.test("a waiter with a terminal sends its size at the start", () => {
  const pty = new HostPty({ rows: 20, columns: 90 }), terminal = pty.openSlave();
  const { boot, pid, messages } = startWaiter(SIGUSR1, NO_PID, terminal);
  let packet = boot.receivePacket();
  while (packet === null) packet = boot.receivePacket();
  assertEquals(packet, { kind: PACKET_RESIZE, a: 20, b: 90 });
  boot.sendPacket(PACKET_EXIT, 3, 0);
  boot.close();
  assertEquals(exitOf(pid), 3);
  for (const fd of [terminal, messages]) close(fd);
});

Deno.test("the waiter reports that the kernel ended without a result", () => {
  const { boot, pid, messages } = startWaiter(SIGUSR1);
  boot.close();
  assertEquals(exitOf(pid), 1);
  assertStringIncludes(textOf(messages), "ended unexpectedly\n");
});

Deno.test("a Sentry that closes its socket and lives on is killed", async () => {
  const sentry = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const { boot, pid, messages } = startWaiter(SIGUSR1, sentry.pid);
  boot.sendPacket(PACKET_EXIT, 7, 0);
  boot.close();
  assertEquals(exitOf(pid), 7);
  assertEquals((await sentry.status).signal, "SIGKILL");
  close(messages);
});

Deno.test("packets of any size and descriptors mean nothing to the waiter", () => {
  const { boot, pid, messages } = startWaiter(SIGUSR1);
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const packet = allocBuffer(1 + random.below(5000));
    packet.forEach((_, at) => packet[at] = at === 0 ? 1 + 4 * random.below(60) : random.below(256));
    assertEquals(sendFds(boot.fd, packet, [messages, messages]), packet.length);
  }
  // At its start it has what this process has; of 4,000 it may be looking at two.
  const open = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
  assertEquals(open < 1000, true, `${open} descriptors`);
  // One code of 32 bits; Linux keeps eight of them.
  boot.sendPacket(PACKET_EXIT, 0x7fffff05, 0);
  boot.close();
  assertEquals(exitOf(pid), 5);
  assertEquals(textOf(messages), "");
});

Deno.test("an invalid exit code counts as an end without a result", () => {
  const { boot, pid, messages } = startWaiter(SIGUSR1);
  boot.sendPacket(PACKET_EXIT, 0x80000000, 0);
  boot.close();
  assertEquals(exitOf(pid), 1);
  assertStringIncludes(textOf(messages), "ended unexpectedly\n");
});

Deno.test("the waiter is a few pages", () => {
  const { boot, pid, messages } = startWaiter(SIGUSR1);
  const rollup = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const kib = Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1]);
  assertEquals(kib < 64, true, `${kib} KiB`);
  syscall(N.SYS_kill, pid, SIGKILL);
  exitOf(pid);
  boot.close();
  close(messages);
});
