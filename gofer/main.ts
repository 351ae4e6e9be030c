/**
 * The entry of the binary `dvisor-gofer`: opens roots and sockets, confines the process, then
 * serves.
 *
 * Everything that needs the host's name space happens before the confinement, and every byte from a
 * client is read after it. Exit codes: 0, 1 for an error of the host, 2 for a wrong command line.
 */

import { AF_UNIX, SO_DOMAIN, SOL_SOCKET } from "../ffi/abi/socket.ts";
import { F_SETFD, FD_CLOEXEC } from "../ffi/abi/fcntl.ts";
import { SIGINT, SIGTERM } from "../ffi/abi/signal.ts";
import {
  SYS_exit_group,
  SYS_fcntl,
  SYS_getsockopt,
  SYS_unlinkat,
} from "../ffi/abi/syscall_numbers.ts";
import { scratch } from "../ffi/sys/cstring.ts";
import { errnoName } from "../ffi/sys/errors.ts";
import { syscall } from "../ffi/sys/native.ts";
import { OwnImage } from "../ffi/sys/own_image.ts";
import { signalToEventfd } from "../ffi/sys/signals.ts";
import { openConfined } from "./backend/confined_tree.ts";
import { followHost, openRoot } from "./backend/export_root.ts";
import { type GoferCommand, parseCommandLine, USAGE, UsageError } from "./command_line.ts";
import { confine, type Kept, raiseFileLimit } from "./server/confine.ts";
import { listenOn } from "./server/listen.ts";
import { GoferServer } from "./server/server.ts";
import { Service } from "./server/service.ts";

/** The project's version; a test compares it with deno.json. */
export const VERSION = "0.1.0";

/** Descriptors that no fid uses: sockets, epoll, roots, Deno's own. */
const RESERVED_FDS = 64;
/** The part of the descriptors that one of several clients may use. */
const CLIENT_SHARE = 8;
/** Time after which a client has probably started, in ms. */
const SETTLED_MS = 1000;
/** LIMIT: fids of one client, even where the host allows more open files. */
const FIDS_MAX = 1 << 20;

function say(line: string): void {
  console.error(`dvisor-gofer: ${line}`);
}

/** Ends the process at once: Deno's own exit makes calls that the filter forbids. */
function exit(code: number): never {
  syscall(SYS_exit_group, code);
  throw new Error("exit_group returned");
}

/**
 * Fids for each client. A fid takes up to four descriptors, but nearly all take one. One of several
 * clients may not use all.
 */
function fidLimit(command: GoferCommand): number {
  if (command.fidsMax >= 0) return command.fidsMax;
  const free = raiseFileLimit() - RESERVED_FDS;
  const share = command.kind === "listen" ? Math.floor(free / CLIENT_SHARE) : free;
  return Math.max(16, Math.min(share, FIDS_MAX));
}

/** AF_* of a socket; throws for another descriptor. */
function familyOf(fd: number): number {
  const at = scratch.areaOffset(0);
  scratch.dv.setInt32(at + 4, 4, true);
  const address = scratch.area(0);
  const r = syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, address, address + 4);
  if (r < 0) throw new Error(`--fd ${fd} is no connected socket: ${errnoName(r)}`);
  return scratch.dv.getInt32(at, true);
}

function confineOrFail(service: Service, kept: Kept, command: GoferCommand): void {
  if (command.confinement === "none") return;
  const { problems, replaced } = confine(service, kept);
  if (command.confinement === "require" && problems.length + replaced.length > 0) {
    const lines = [...replaced, ...problems].join("; ");
    throw new Error(`the host does not permit the whole confinement: ${lines}`);
  }
  if (problems.length === 0 || command.isQuiet) return;
  say(`running with less confinement than usual: ${problems.join("; ")}`);
}

function makeService(command: GoferCommand): Service {
  const fidsMax = fidLimit(command);
  const roots = command.roots.map((r) => openRoot(r.path, r.isReadOnly, r));
  followHost(roots).forEach(say);
  return new Service({ roots, policy: command.policy, msizeMax: command.msizeMax, fidsMax });
}

function serve(command: GoferCommand): void {
  const isUnix = familyOf(command.fd) === AF_UNIX;
  syscall(SYS_fcntl, command.fd, F_SETFD, FD_CLOEXEC);
  const service = makeService(command);
  const image = OwnImage.find();
  confineOrFail(service, { fds: [command.fd] }, command);
  const server = new GoferServer(service, say);
  server.spins = command.spins;
  server.addConnection(command.fd, isUnix);
  server.runFor(SETTLED_MS);
  // Memory that the start used, here and in the client, is not needed any more.
  image.release();
  server.run();
}

/** Serves until SIGTERM or SIGINT, then removes the socket's name. */
function listen(command: GoferCommand): void {
  const { address, addressText } = command;
  if (address === null) throw new UsageError("give --listen ADDR");
  const service = makeService(command);
  const isUnix = address.kind === "unix";
  const socket = listenOn(address, addressText);
  const stops = [signalToEventfd(SIGTERM), signalToEventfd(SIGINT)];
  const slash = isUnix ? address.path.lastIndexOf("/") : 0;
  const folder = isUnix && slash >= 0 ? address.path.slice(0, slash + 1) : ".";
  const home = isUnix
    ? openConfined(folder, { isReadOnly: false, isFlat: false, follows: false }).fd
    : -1;
  const server = new GoferServer(service, say);
  server.spins = command.spins;
  server.listen(socket, isUnix, stops);
  try {
    const fds = [socket, home, ...stops];
    confineOrFail(service, { fds, removing: home, listens: true }, command);
    say(`serving ${service.roots.map((r) => r.label).join(", ")} on ${addressText}`);
    server.run();
  } finally {
    const name = isUnix ? address.path.slice(slash + 1) : "";
    if (home >= 0) syscall(SYS_unlinkat, home, scratch.cstr(name), 0);
  }
}

/** Runs a command line and ends the process. */
export function main(argv: readonly string[]): never {
  try {
    const command = parseCommandLine(argv);
    switch (command.kind) {
      case "help":
        console.log(USAGE);
        break;
      case "version":
        console.log(`dvisor-gofer ${VERSION}`);
        break;
      case "serve":
        serve(command);
        break;
      case "listen":
        listen(command);
        break;
    }
  } catch (e) {
    say(e instanceof Error ? e.message : String(e));
    if (e instanceof UsageError) say("dvisor-gofer --help shows how it is used");
    exit(e instanceof UsageError ? 2 : 1);
  }
  exit(0);
}

if (import.meta.main) main(Deno.args);
