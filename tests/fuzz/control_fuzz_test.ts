/**
 * Hostile clients of a running sandbox, on its control socket and on the socket of a process that
 * waits: broken requests, wrong sizes, descriptors that are not wanted or are missing, early ends,
 * many at once. The server outlives them: no exception, each request that reaches its handler is
 * sound, no descriptor and no connection stays, and a good client is answered. The corpus has one
 * good request of each kind. The other direction is tests/hostile/broken_sentry_test.ts.
 */

import { assert, assertEquals } from "@std/assert";
import { EPOLLIN } from "../../ffi/abi/epoll.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_SEQPACKET } from "../../ffi/abi/socket.ts";
import { SYS_connect, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, memfdCreate, pipe, poll, pwrite } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Waiter } from "../../kernel/core/wait.ts";
import { FakeHost } from "../../kernel/testing/fake_host.ts";
import { type BootSocket, ControlSocket, packetPair } from "../../oci/protocol/launcher_channel.ts";
import type { Request } from "../../oci/protocol/control_protocol.ts";
import {
  ControlServer,
  Later,
  type RequestFds,
  type RequestHandler,
} from "../../oci/boot/control/control_server.ts";
import { LauncherLink, type WaiterListener } from "../../oci/boot/control/launcher_events.ts";
import { listenForControl } from "../../oci/container/control_client.ts";
import { ContainerDir } from "../../oci/state/store.ts";
import { putUnixAddress } from "../../oci/host/unix_address.ts";
import { UserError } from "../../oci/user_error.ts";
import { ROOT } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";
import { brokenPacket } from "../hostile/broken_sentry.ts";

const PARTS = 2;
const CLIENTS = 6, STEPS = 40, BUFFER = 65536, SIGNAL_MAX = 64, SIZE_MAX = 0xffff;
/** LIMIT: rounds of the loop until the work of a case is done. */
const ROUNDS_MAX = 2000;

const GOOD: readonly object[] = Deno.readTextFileSync(
  `${ROOT}/tests/fuzz/corpus/control/requests.jsonl`,
).trim().split("\n").map((line) => JSON.parse(line));

/** A host with descriptors that are watched, each once until it is armed again. */
class LoopHost extends FakeHost {
  readonly #watches: Map<number, { readonly waiter: Waiter; isArmed: boolean }> = new Map();

  override watch(fd: number, _events: number, waiter: Waiter): number {
    assert(!this.#watches.has(fd), `${fd} is watched already`);
    this.#watches.set(fd, { waiter, isArmed: true });
    return 0;
  }
  override arm(fd: number): number {
    const watch = this.#watches.get(fd);
    if (watch !== undefined) watch.isArmed = true;
    return 0;
  }
  override unwatch(fd: number): void {
    this.#watches.delete(fd);
  }
  get watched(): number {
    return this.#watches.size;
  }

  /** Whether anything was ready. */
  turn(): boolean {
    let isBusy = false;
    for (const [fd, watch] of [...this.#watches]) {
      if (!watch.isArmed || this.#watches.get(fd) !== watch || poll(fd, POLLIN, 0) <= 0) continue;
      watch.isArmed = false;
      isBusy = true;
      watch.waiter.onWake(EPOLLIN);
    }
    return isBusy;
  }
  rest(): void {
    for (let i = 0; i < ROUNDS_MAX; i++) if (!this.turn()) return;
    throw new Error("the server does not come to rest");
  }
}

/** Takes descriptors or not, answers at once, later, or with an error. */
class Handler implements RequestHandler {
  random: Random | null = null;
  readonly later: Later[] = [];
  requests: number = 0;

  onRequest(request: Request, fds: RequestFds): object | Later {
    this.requests++;
    assertSound(request);
    const { random } = this;
    if (random === null) return { isGood: true };
    for (let i = random.below(4); i > 0; i--) close(fds.take(random.below(3)));
    if (random.below(8) === 0) fds.takeFrom(random.below(3)).forEach(close);
    if (random.below(4) === 0) throw new UserError("refused");
    if (random.below(3) !== 0) return { text: "x".repeat(random.below(100_000)) };
    const later = new Later();
    this.later.push(later);
    if (random.below(3) === 0) later.settle({});
    return later;
  }

  settleAll(): void {
    for (const later of this.later.splice(0)) later.settle(new UserError("too late"));
  }
}

/** Asserts that the request has the types of the protocol. */
function assertSound(request: Request): void {
  const what = JSON.stringify(request).slice(0, 200);
  assertEquals(typeof request.id, "string", what);
  if (request.op === "signal") {
    assert(request.signo >= 0 && request.signo <= SIGNAL_MAX, what);
    assertEquals(typeof request.all, "boolean", what);
  }
  if (request.op === "start") {
    for (const { args, env, jsonPath } of request.hooks) {
      assert([...args, ...env, jsonPath].every((text) => typeof text === "string"), what);
      assert(args.length > 0, what);
    }
  }
  if (request.op === "exec" || request.op === "createContainer") {
    const process = request.op === "exec" ? request.process : request.spec.process;
    const { args, env, cwd, uid, gid } = process;
    assert([...args, ...env, cwd].every((text) => typeof text === "string"), what);
    assert([uid, gid].every((id) => Number.isInteger(id) && id >= 0), what);
  }
  if (request.op === "update") {
    for (const value of Object.values(request.limits)) {
      assert(typeof value === "string" || (value >= -1 && Number.isFinite(value)), what);
    }
  }
}

/** Sockets, pipes and memfds of this process: Deno's own threads open and close files meanwhile. */
function openFiles(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => linkOf(name))
    .filter((link) => /^(socket|pipe):|^\/memfd:/.test(link)).sort();
}

function linkOf(fd: string): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch (error) {
    // The directory's own descriptor is gone already.
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

function connectTo(dir: ContainerDir): number {
  const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
  dir.withSocketPath((path) => {
    const length = putUnixAddress(path);
    check(syscall(SYS_connect, fd, scratch.area(0), length), "connect");
  });
  return fd;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(text), bytes = allocBuffer(Math.max(1, encoded.length));
  bytes.set(encoded);
  return bytes.subarray(0, encoded.length);
}

/** A memfd with a request in it, and the packet that names it: the length may be a lie. */
function inMemfd(random: Random, good: object): { packet: Uint8Array<ArrayBuffer>; fd: number } {
  const content = brokenPacket(good, random), fd = memfdCreate("fuzz", MFD_CLOEXEC);
  if (content.length > 0) pwrite(fd, addressOf(content), content.length, 0);
  const odd = [0, -1, 1.5, 2 ** 24, 2 ** 24 + 1, 2 ** 53, "x", content.length + 1];
  const bytes = random.below(2) === 0 ? content.length : random.pick(odd);
  return { packet: bytesOf(JSON.stringify({ op: "memfd", bytes })), fd };
}

/** One packet of a client: good or broken, with descriptors or without. */
function sayTo(sock: number, random: Random): void {
  const ends = pipe(0);
  if (typeof ends === "number") throw new Error("no pipe");
  const good = random.pick(GOOD), fds: number[] = Array(random.pick([0, 0, 1, 4, 5, 253])).fill(0);
  fds.forEach((_, i) => fds[i] = ends[i & 1]!);
  let packet = random.below(3) === 0 ? bytesOf(JSON.stringify(good)) : brokenPacket(good, random);
  let memfd = -1;
  if (random.below(4) === 0) {
    ({ packet, fd: memfd } = inMemfd(random, good));
    if (random.below(4) !== 0) fds.unshift(memfd);
    if (fds.length > 253) fds.length = 253;
  }
  sendFds(sock, packet, packet.length === 0 ? [] : fds, MSG_DONTWAIT);
  ends.forEach(close);
  if (memfd >= 0) close(memfd);
}

function hear(sock: number): void {
  const buffer = allocBuffer(BUFFER), r = recvFds(sock, buffer, MSG_DONTWAIT);
  if (typeof r !== "number") r.fds.forEach(close);
}

function runClients(random: Random, host: LoopHost, handler: Handler, dir: ContainerDir): void {
  const clients: number[] = [];
  handler.random = random;
  for (let i = 0; i < STEPS; i++) {
    const kind = random.below(8), at = random.below(CLIENTS), sock = clients[at];
    if (sock === undefined) clients.push(connectTo(dir));
    else if (kind < 4) sayTo(sock, random);
    else if (kind === 4) hear(sock);
    else if (kind === 5) {
      close(sock);
      clients.splice(at, 1);
    } else host.turn();
  }
  host.rest();
  handler.settleAll();
  clients.forEach(close);
  host.rest();
  handler.random = null;
}

/** A client that behaves is answered. */
function assertServed(host: LoopHost, dir: ContainerDir): void {
  const sock = connectTo(dir), buffer = allocBuffer(BUFFER);
  sendFds(sock, bytesOf(JSON.stringify({ op: "state", id: "c" })), []);
  host.rest();
  const r = recvFds(sock, buffer, MSG_DONTWAIT);
  close(sock);
  if (typeof r === "number") throw new Error(`no answer: ${r}`);
  const answer = JSON.parse(new TextDecoder().decode(buffer.subarray(0, r.len)));
  assertEquals(answer, { ok: true, isGood: true });
}

Deno.test("hostile clients of the control socket leave the server as it was", async () => {
  const root = Deno.makeTempDirSync({ prefix: "dvisor-test-control-" });
  const dir = new ContainerDir(root, "c"), host = new LoopHost(), handler = new Handler();
  Deno.mkdirSync(dir.path);
  const fd = listenForControl(dir);
  try {
    new ControlServer(host, fd, handler);
    const files = openFiles();
    await runCases("control", { ci: 400, full: 20_000, parts: PARTS }, (random) => {
      runClients(random, host, handler, dir);
      assertServed(host, dir);
      assertEquals(openFiles(), files);
      assertEquals(host.watched, 1);
    });
    assert(handler.requests > 0, "no request made sense");
  } finally {
    close(fd);
    Deno.removeSync(root, { recursive: true });
  }
});

/** A message of a waiter, most of the time one that makes sense. */
class Heard implements WaiterListener {
  signals: number = 0;
  isGone: boolean = false;

  onSignal(signo: number): void {
    this.signals++;
    assert(signo > 0 && signo <= SIGNAL_MAX, `signal ${signo}`);
  }
  onResize(rows: number, columns: number): void {
    assert(rows <= SIZE_MAX && columns <= SIZE_MAX, `${rows} rows, ${columns} columns`);
  }
  onWaiterGone(): void {
    this.isGone = true;
  }
}

const WORDS = [0, 1, 2, 3, 15, 64, 65, 80, 0xffff, 0x10000, 0x7fffffff, 0xffffffff];

function runWaiter(random: Random): void {
  const host = new LoopHost(), heard = new Heard(), [waiter, bootFd] = packetPair();
  const boot: BootSocket = new ControlSocket(bootFd);
  new LauncherLink(host, boot, heard);
  let isBroken = false;
  for (let i = random.below(200); i > 0 && !isBroken; i--) {
    const words = Array.from({ length: 3 }, () => random.pick(WORDS));
    const packet = allocBuffer(12), view = new DataView(packet.buffer);
    words.forEach((word, at) => view.setUint32(4 * at, word, true));
    isBroken = random.below(100) === 0;
    sendFds(waiter, isBroken ? packet.subarray(0, random.below(12)) : packet, [], MSG_DONTWAIT);
    if (random.below(4) === 0) host.turn();
  }
  host.rest();
  assertEquals(heard.isGone, isBroken);
  close(waiter);
  host.rest();
  assert(heard.isGone, "the end of the waiter is not heard");
  boot.close();
}

Deno.test("a process that waits says signals and sizes, or nothing", async () => {
  const files = openFiles();
  await runCases("control, waiter", { ci: 400, full: 20_000, parts: PARTS }, runWaiter);
  assertEquals(openFiles(), files);
});
