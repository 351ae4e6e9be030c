/**
 * Assembles the waiter (waiter_image.ts): a loop that polls the control socket, a signalfd and a
 * leash. Binaries have the assembled program (ffi/sys/prebuilt.ts).
 */

import { Pollfd, POLLIN } from "../../ffi/abi/poll.ts";
import { SFD_CLOEXEC, SignalfdSiginfo } from "../../ffi/abi/epoll.ts";
import { TCSETS, TIOCGWINSZ } from "../../ffi/abi/ioctl.ts";
import { SIG_SETMASK, SIGCONT, SIGKILL, SIGSET_SIZE, SIGWINCH } from "../../ffi/abi/signal.ts";
import { PR_SET_NAME } from "../../ffi/abi/prctl.ts";
import { MSG_DONTWAIT, MSG_NOSIGNAL } from "../../ffi/abi/socket.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { Winsize } from "../../ffi/abi/termios.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { EAGAIN } from "../../ffi/abi/errno.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { type Mem, mem } from "../../ffi/asm/operands.ts";
import {
  al,
  dl,
  eax,
  ecx,
  edi,
  edx,
  esi,
  r10d,
  r8d,
  r9d,
  rax,
  rbx,
  rdi,
  rdx,
  rsi,
} from "../../ffi/asm/registers.ts";
import {
  ControlPacket,
  PACKET_EXIT,
  PACKET_RESIZE,
  PACKET_SIGNAL,
} from "../protocol/launcher_channel.ts";
import { EXIT_FAILURE } from "../user_error.ts";
import { WaiterData } from "./waiter_data.ts";
import type { AssembledImage } from "../../ffi/sys/prebuilt.ts";

const TEXT = 0x400000, DATA = 0x401000;
/** Where the two digits of a signal number stand in the message. */
const KILLED = "dvisor: the kernel of the sandbox was killed by signal 00\n";
const ENDED = "dvisor: the kernel of the sandbox ended unexpectedly\n";
const NEWLINE = 10;
const DIGITS_AT = KILLED.indexOf("00");

const { at } = WaiterData;

function data(offset: number): Mem {
  return mem(rbx, offset);
}

/** A call with up to three arguments in registers that are set already. */
function call(a: Assembler, nr: number): Assembler {
  return a.mov(eax, nr).syscall();
}

function emitStart(a: Assembler): void {
  a.label("start").mov(rbx, DATA);
  a.mov(edi, PR_SET_NAME).lea(rsi, data(at.name)).xor(edx, edx).xor(r10d, r10d).xor(r8d, r8d);
  call(a, N.SYS_prctl);
  a.mov(edi, SIG_SETMASK).lea(rsi, data(at.mask)).xor(edx, edx).mov(r10d, SIGSET_SIZE);
  call(a, N.SYS_rt_sigprocmask);
  a.mov(edi, -1).lea(rsi, data(at.mask)).mov(edx, SIGSET_SIZE).mov(r10d, SFD_CLOEXEC);
  call(a, N.SYS_signalfd4);
  a.mov(data(at.signals + Pollfd.at.fd), eax);
  a.cmp(data(at.sendsSize), 0, 4).jne("resize");
}

function emitLoop(a: Assembler): void {
  a.label("loop").lea(rdi, data(at.control)).mov(esi, 3).mov(rdx, -1);
  call(a, N.SYS_poll);
  a.cmp(data(at.leash + Pollfd.at.revents), 0, 2).jne("leash");
  a.label("signals?").cmp(data(at.signals + Pollfd.at.revents), 0, 2).jne("signal");
  a.label("control?").cmp(data(at.control + Pollfd.at.revents), 0, 2).je("loop");
  a.mov(edi, data(at.control + Pollfd.at.fd)).lea(rsi, data(at.packet));
  a.mov(edx, ControlPacket.size).mov(r10d, MSG_DONTWAIT).xor(r8d, r8d).xor(r9d, r9d);
  call(a, N.SYS_recvfrom);
  a.cmp(rax, -EAGAIN).je("loop").cmp(rax, 0).jle("ended");
  a.cmp(data(at.packet + ControlPacket.at.kind), PACKET_EXIT, 4).jne("loop");
  a.mov(eax, data(at.packet + ControlPacket.at.a)).mov(data(at.exitCode), eax);
  // The kernel needs no files any more, so both processes can end at once.
  a.mov(edi, data(at.goferPid)).test(edi, edi).js("loop").mov(esi, SIGKILL);
  call(a, N.SYS_kill);
  a.jmp("loop");
}

/**
 * A byte takes the proxy off the leash. The end of the leash without a byte means that the command
 * that makes the container is gone.
 */
function emitLeash(a: Assembler): void {
  a.label("leash").mov(edi, data(at.leash + Pollfd.at.fd)).lea(rsi, data(at.packet)).mov(edx, 1);
  call(a, N.SYS_read);
  a.mov(edi, EXIT_FAILURE).cmp(rax, 1).jne("exit");
  a.mov(edi, data(at.leash + Pollfd.at.fd));
  call(a, N.SYS_close);
  a.mov(data(at.leash + Pollfd.at.fd), -1, 4);
  a.mov(data(at.leash + Pollfd.at.revents), 0, 2).jmp("signals?");
}

function emitSignal(a: Assembler): void {
  a.label("signal").mov(edi, data(at.signals + Pollfd.at.fd)).lea(rsi, data(at.siginfo));
  a.mov(edx, SignalfdSiginfo.size);
  call(a, N.SYS_read);
  a.cmp(rax, SignalfdSiginfo.size).jne("control?");
  a.mov(eax, data(at.siginfo + SignalfdSiginfo.at.signo));
  a.cmp(data(at.terminal), 0, 4).jl("plain");
  a.cmp(eax, SIGWINCH).je("resize").cmp(eax, SIGCONT).je("continued");
  a.label("plain").mov(data(at.packet + ControlPacket.at.a), eax);
  a.mov(data(at.packet + ControlPacket.at.kind), PACKET_SIGNAL, 4);

  a.label("send");
  emitSend(a);
  a.jmp("control?");

  // The waiter or the command was stopped, and a shell had the terminal meanwhile.
  a.label("continued").mov(data(at.packet + ControlPacket.at.a), eax);
  a.mov(data(at.packet + ControlPacket.at.kind), PACKET_SIGNAL, 4);
  emitSend(a);
  a.mov(edi, data(at.terminal)).mov(esi, TCSETS).lea(rdx, data(at.raw));
  call(a, N.SYS_ioctl);
  a.label("resize").mov(edi, data(at.terminal)).mov(esi, TIOCGWINSZ).lea(rdx, data(at.winsize));
  call(a, N.SYS_ioctl);
  a.test(rax, rax).jne("control?");
  a.movzx(eax, mem(rbx, at.winsize + Winsize.at.row), 2);
  a.movzx(ecx, mem(rbx, at.winsize + Winsize.at.col), 2);
  a.mov(data(at.packet + ControlPacket.at.a), eax);
  a.mov(data(at.packet + ControlPacket.at.b), ecx);
  a.mov(data(at.packet + ControlPacket.at.kind), PACKET_RESIZE, 4).jmp("send");
}

/**
 * Sends the packet to the Sentry. It is dropped if the socket has no room, because the waiter must
 * not block.
 */
function emitSend(a: Assembler): void {
  a.mov(edi, data(at.control + Pollfd.at.fd)).lea(rsi, data(at.packet));
  a.mov(edx, ControlPacket.size).mov(r10d, MSG_DONTWAIT | MSG_NOSIGNAL);
  a.xor(r8d, r8d).xor(r9d, r9d);
  call(a, N.SYS_sendto);
}

function emitEnd(a: Assembler): void {
  a.label("ended").mov(edi, data(at.sentryPid)).test(edi, edi).js("alone");
  // A process that has ended keeps its status. A broken one may be alive without its socket.
  a.mov(esi, SIGKILL);
  call(a, N.SYS_kill);
  a.mov(edi, data(at.sentryPid));
  a.lea(rsi, data(at.status)).mov(edx, __WALL).xor(r10d, r10d);
  call(a, N.SYS_wait4);
  a.label("alone").mov(edi, data(at.goferPid)).test(edi, edi).js("terminal");
  a.mov(esi, SIGKILL);
  call(a, N.SYS_kill);
  a.mov(edi, data(at.goferPid)).xor(esi, esi).mov(edx, __WALL).xor(r10d, r10d);
  call(a, N.SYS_wait4);
  a.label("terminal");
  a.lea(rdi, data(at.socketPath)).cmp(mem(rdi), 0, 1).je("restore");
  call(a, N.SYS_unlink);
  a.label("restore");
  a.mov(edi, data(at.terminal)).mov(esi, TCSETS).lea(rdx, data(at.saved));
  call(a, N.SYS_ioctl);
  a.mov(edi, data(at.exitCode)).test(edi, edi).jns("exit");

  a.lea(rsi, data(at.ended)).mov(edx, data(at.endedBytes));
  a.mov(eax, data(at.status)).and(eax, 0x7f).je("say");
  a.xor(edx, edx).mov(ecx, 10).div(ecx);
  a.test(eax, eax).jne("two digits").dec(data(at.killedBytes), 4);
  a.add(data(at.killed + DIGITS_AT), dl).mov(data(at.killed + DIGITS_AT + 1), NEWLINE, 1);
  a.jmp("killed");
  a.label("two digits").add(data(at.killed + DIGITS_AT), al);
  a.add(data(at.killed + DIGITS_AT + 1), dl).label("killed");
  a.lea(rsi, data(at.killed)).mov(edx, data(at.killedBytes));
  a.label("say").mov(edi, 2);
  call(a, N.SYS_write);
  a.mov(edi, data(at.lostCode)).label("exit");
  call(a, N.SYS_exit_group);
}

/**
 * The program with a page of data at the offset `data`; `waiterImage` fills in the rest of the
 * data.
 */
export function assemble(): AssembledImage {
  const a = new Assembler();
  emitStart(a);
  emitLoop(a);
  emitLeash(a);
  emitSignal(a);
  emitEnd(a);
  const bytes = startData();
  const elf = writeExecutable(TEXT + a.offsetOf("start"), [
    { vaddr: TEXT, bytes: a.assemble(), read: true, write: false, exec: true },
    { vaddr: DATA, bytes, read: true, write: true, exec: false },
  ]);
  // The last segment ends the file.
  return { elf, offsets: { data: elf.length - bytes.length }, patches: [] };
}

function startData(): Uint8Array {
  const bytes = new Uint8Array(WaiterData.size);
  const view = new DataView(bytes.buffer);
  putText(view, bytes, at.killed, at.killedBytes, KILLED);
  putText(view, bytes, at.ended, at.endedBytes, ENDED);
  view.setInt16(at.control + Pollfd.at.events, POLLIN, true);
  view.setInt16(at.signals + Pollfd.at.events, POLLIN, true);
  view.setInt16(at.leash + Pollfd.at.events, POLLIN, true);
  view.setInt32(at.leash + Pollfd.at.fd, -1, true);
  view.setInt32(at.lostCode, EXIT_FAILURE, true);
  view.setInt32(at.exitCode, -1, true);
  for (const none of [at.sentryPid, at.goferPid, at.terminal]) view.setInt32(none, -1, true);
  return bytes;
}

function putText(
  view: DataView,
  bytes: Uint8Array,
  textAt: number,
  lengthAt: number,
  text: string,
): void {
  bytes.set(new TextEncoder().encode(text), textAt);
  view.setUint32(lengthAt, text.length, true);
}
