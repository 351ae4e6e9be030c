/**
 * The directory with the sockets of sandboxes that clients of the session protocol connect to. Only
 * its user can use it. Libraries look in the same places.
 */

import { ECONNREFUSED } from "../../../ffi/abi/errno.ts";
import {
  SYS_bind,
  SYS_connect,
  SYS_geteuid,
  SYS_listen,
  SYS_socket,
} from "../../../ffi/abi/syscall_numbers.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { close } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { putUnixAddress } from "../../host/unix_address.ts";
import { defaultRoot } from "../../state/root_dir.ts";
import { RequestError } from "../../protocol/request_error.ts";
import { UserError } from "../../user_error.ts";

const BACKLOG = 64;
const SUFFIX = ".sock";
/** LIMIT: characters of a path, so that there is room for a first name. */
const PATH_CHARACTERS = 96;
const MODE = 0o700, OTHERS = 0o077;

/** A listening socket and its path. */
export interface NamedListener {
  readonly fd: number;
  readonly path: string;
}

/**
 * The directory beside that of containers, so that its name is no container's.
 * @param mayMake it is made if it is missing
 * @returns null if there is none that belongs to this user alone
 */
export function sandboxDirectory(mayMake: boolean): string | null {
  let directory: string;
  try {
    directory = `${defaultRoot("auto")}-sandboxes`;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return null;
  }
  try {
    if (mayMake) Deno.mkdirSync(directory, { mode: MODE });
  } catch {
    // It is there, or cannot be made.
  }
  try {
    const { isDirectory, uid, mode } = Deno.lstatSync(directory);
    const isOwn = isDirectory && uid === syscall(SYS_geteuid) && ((mode ?? OTHERS) & OTHERS) === 0;
    return isOwn ? directory : null;
  } catch {
    return null;
  }
}

/** The path of a sandbox's socket. */
export function socketPath(directory: string, id: string): string {
  return `${directory}/${id}${SUFFIX}`;
}

/** The paths of the sockets in a directory, also of those whose sandboxes were killed. */
export function socketPaths(directory: string): string[] {
  const names = [...Deno.readDirSync(directory)].map(({ name }) => name);
  return names.filter((name) => name.endsWith(SUFFIX)).map((name) => `${directory}/${name}`);
}

/**
 * Makes the socket of a sandbox.
 * @returns null if this user has no directory for it: the sandbox has one client then, its owner
 * @throws UserError if another sandbox of this user has the id
 */
export function listenAs(id: string): NamedListener | null {
  const directory = sandboxDirectory(true);
  if (directory === null) return null;
  const path = socketPath(directory, id);
  if (path.length > PATH_CHARACTERS) return null;
  const other = connectTo(path);
  if (other !== null) close(other);
  return listenAt(path, id);
}

/** The socket has its name when it listens: a client that finds it can connect. */
function listenAt(path: string, id: string): NamedListener | null {
  const fd = newSocket();
  const unnamed = `${path}.${Deno.pid}`;
  const umask = Deno.umask(OTHERS);
  try {
    const bound = syscall(SYS_bind, fd, scratch.area(0), putUnixAddress(unnamed));
    if (bound >= 0 && syscall(SYS_listen, fd, BACKLOG) >= 0) {
      // A link, because a rename would replace the socket of another sandbox.
      Deno.linkSync(unnamed, path);
      return { fd, path };
    }
  } catch (error) {
    close(fd);
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new RequestError("AlreadyExists", `the id ${id} is in use: ${path} exists`);
  } finally {
    Deno.umask(umask);
    remove(unnamed);
  }
  close(fd);
  return null;
}

/**
 * Connects to the socket of a sandbox. One that refuses connections is removed: its sandbox was
 * killed, because a socket with such a name has listened before it got the name.
 * @returns a descriptor; null if no sandbox listens
 */
export function connectTo(path: string): number | null {
  const fd = newSocket(), r = syscall(SYS_connect, fd, scratch.area(0), putUnixAddress(path));
  if (r >= 0) return fd;
  close(fd);
  if (r === -ECONNREFUSED) remove(path);
  return null;
}

function newSocket(): number {
  const fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new UserError(`socket: ${errnoName(fd)}`);
  return fd;
}

function remove(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
