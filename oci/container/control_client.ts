/**
 * Sends a request to a running sandbox and waits for its answer (protocol/control_protocol.ts).
 * Each request has a connection of its own.
 */

import { ECONNREFUSED, ENOENT } from "../../ffi/abi/errno.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import { SYS_bind, SYS_connect, SYS_listen, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check, errnoName } from "../../ffi/sys/errors.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, memfdCreate, pwrite } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { waitReadable } from "../launch/command_signals.ts";
import { readAnswer } from "../protocol/control_answers.ts";
import { type Answers, type Op, PACKET_MAX, type Request } from "../protocol/control_protocol.ts";
import { UserError } from "../user_error.ts";
import type { ContainerDir } from "../state/store.ts";
import { putUnixAddress } from "../host/unix_address.ts";

const BACKLOG = 128;
/** LIMIT: how long a sandbox may take for an answer, in ms, without the work below. */
const ANSWER_MS = 60_000;
/** LIMIT: descriptors that come with an answer. */
const ANSWER_FDS = 1;

/**
 * Makes the listening socket of a sandbox, whose descriptor the boot process gets.
 * @throws SyscallError
 */
export function listenForControl(dir: ContainerDir): number {
  const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
  dir.withSocketPath((path) => {
    const length = putUnixAddress(path);
    check(syscall(SYS_bind, fd, scratch.area(0), length), `bind ${path}`);
  });
  check(syscall(SYS_listen, fd, BACKLOG), "listen");
  return fd;
}

/** A connection, or why there is none. */
function connect(dir: ContainerDir): number {
  const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
  const r = dir.withSocketPath((path) => {
    const length = putUnixAddress(path);
    return syscall(SYS_connect, fd, scratch.area(0), length);
  });
  if (r >= 0) return fd;
  close(fd);
  return r;
}

/**
 * @param dir of the container whose sandbox gets the request
 * @param fds sent with the request; they stay open here
 * @param timeoutMs for the answer
 * @throws UserError with the sandbox's own message, or that it is not running
 */
export function ask<R extends Request>(
  dir: ContainerDir,
  request: R,
  fds: readonly number[] = [],
  timeoutMs: number = ANSWER_MS,
): Answers[R["op"]] {
  return answerOf(sendRequest(dir, request, fds, timeoutMs));
}

/** The answer to a request, without descriptors. @throws as `ask` */
export function answerOf<O extends Op>(sent: SentRequest<O>): Answers[O] {
  const { answer, fds } = sent.wait();
  for (const fd of fds) close(fd);
  return answer;
}

/** As `ask`. The caller gets the descriptors of the answer, and closes them. */
export function askForFds<R extends Request>(
  dir: ContainerDir,
  request: R,
  fds: readonly number[] = [],
  timeoutMs: number = ANSWER_MS,
): AnswerWithFds<R["op"]> {
  return sendRequest(dir, request, fds, timeoutMs).wait();
}

interface AnswerWithFds<O extends Op> {
  readonly answer: Answers[O];
  readonly fds: readonly number[];
}

/** A request that the sandbox acts on. */
interface SentRequest<O extends Op> {
  /** Waits for the answer, once. @throws as `ask` */
  wait(): AnswerWithFds<O>;
}

/** The first half of `askForFds`. */
export function sendRequest<R extends Request>(
  dir: ContainerDir,
  request: R,
  fds: readonly number[],
  timeoutMs: number = ANSWER_MS,
): SentRequest<R["op"]> {
  const sock = connect(dir);
  if (sock === -ENOENT || sock === -ECONNREFUSED) throw notRunning();
  if (sock < 0) throw new UserError(`cannot reach the sandbox: ${errnoName(sock)}`);
  try {
    send(sock, request, fds);
  } catch (error) {
    close(sock);
    throw error;
  }
  return { wait: () => waitForAnswer(sock, request, workMs(request) + timeoutMs) };
}

function waitForAnswer<R extends Request>(
  sock: number,
  { op }: R,
  timeoutMs: number,
): AnswerWithFds<R["op"]> {
  try {
    if (waitReadable(sock, timeoutMs)) return receive<R["op"]>(sock, op);
    throw new UserError(`the sandbox does not answer (${op})`);
  } finally {
    close(sock);
  }
}

/** How long the work of a request may take: hooks without a time-out, and big files, for ever. */
function workMs(request: Request): number {
  if (request.op === "checkpoint") return Infinity;
  if (request.op !== "start") return 0;
  return request.hooks.reduce((ms, { timeoutSeconds: s }) => ms + (s ?? Infinity) * 1000, 0);
}

function notRunning(): UserError {
  return new UserError("container not running: its sandbox has ended");
}

function send(sock: number, request: Request, fds: readonly number[]): void {
  let text = JSON.stringify(request), memfd = -1;
  const bytes = bufferOf(text);
  if (bytes.length > PACKET_MAX) {
    memfd = check(memfdCreate("dvisor-request", MFD_CLOEXEC), "memfd_create");
    check(pwrite(memfd, addressOf(bytes), bytes.length, 0), "write the request");
    text = JSON.stringify({ op: "memfd", bytes: bytes.length });
  }
  const r = sendFds(sock, bufferOf(text), memfd < 0 ? fds : [memfd, ...fds]);
  if (memfd >= 0) close(memfd);
  if (r < 0) throw notRunning();
}

function bufferOf(text: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(text);
  const bytes = allocBuffer(encoded.length);
  bytes.set(encoded);
  return bytes;
}

/** @throws UserError for an answer that is not valid: a broken Sentry may send anything */
function receive<O extends Op>(sock: number, op: O): AnswerWithFds<O> {
  const buffer = allocBuffer(4 * PACKET_MAX);
  const r = recvFds(sock, buffer);
  if (typeof r === "number") throw notRunning();
  let kept: readonly number[] = [];
  try {
    if (r.len === 0) throw notRunning();
    const answer = readAnswer(op, new TextDecoder().decode(buffer.subarray(0, r.len)));
    if (!answer.ok) throw new UserError(answer.message, answer.code);
    kept = r.fds.slice(0, ANSWER_FDS);
    return { answer, fds: kept };
  } finally {
    for (const fd of r.fds) if (!kept.includes(fd)) close(fd);
  }
}
