/**
 * A pseudoterminal of the host for a client that wants the guest's terminal over a socket (`--console-socket`): the client
 * gets the master; the slave, in raw mode, goes to the sandbox, whose kernel has the terminal that the guest sees.
 *
 * See pty(7), unix(7). Neighbours: bridge.ts moves the bytes; launch/proxy.ts hears of sizes.
 */

import { basename, dirname } from "@std/path";
import * as F from "../../ffi/abi/fcntl.ts";
import { TIOCGPTN, TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from "../../ffi/abi/ioctl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { SYS_connect, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { Winsize } from "../../ffi/abi/termios.ts";
import { allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, ioctl, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { putUnixAddress } from "../state/unix_address.ts";
import { UserError } from "../user_error.ts";
import { RawTerminal, type TerminalSize } from "./terminal.ts";

export class HostPty {
  readonly #master: number;

  /** @throws UserError */
  constructor(size: TerminalSize | null) {
    const flags = F.O_RDWR | F.O_NOCTTY | F.O_CLOEXEC;
    try {
      this.#master = check(openat(F.AT_FDCWD, "/dev/ptmx", flags), "open /dev/ptmx");
      scratch.dv.setInt32(scratch.areaOffset(0), 0, true);
      check(ioctl(this.#master, TIOCSPTLCK, scratch.area(0)), "ioctl TIOCSPTLCK");
      const slave = this.openSlave();
      new RawTerminal(slave).enter();
      close(slave);
    } catch (error) {
      if (error instanceof SyscallError) throw new UserError("no terminal", undefined, error);
      throw error;
    }
    if (size !== null) this.#resize(size);
  }

  /** An open file description of its own, which does not block. @throws SyscallError */
  openSlave(): number {
    const flags = F.O_RDWR | F.O_NOCTTY | F.O_CLOEXEC | F.O_NONBLOCK;
    return check(ioctl(this.#master, TIOCGPTPEER, flags), "ioctl TIOCGPTPEER");
  }

  #resize({ rows, columns }: TerminalSize): void {
    const at = scratch.areaOffset(0);
    scratch.u8.fill(0, at, at + Winsize.size);
    scratch.dv.setUint16(at + Winsize.at.row, rows, true);
    scratch.dv.setUint16(at + Winsize.at.col, columns, true);
    ioctl(this.#master, TIOCSWINSZ, scratch.area(0));
  }

  /** Gives the master to whoever listens at `path`; it is closed here. Does not wait for an answer. @throws UserError */
  sendMaster(path: string): void {
    try {
      const socket = connectStream(path);
      const name = new TextEncoder().encode(this.#slaveName());
      const data = allocBuffer(name.length);
      data.set(name);
      check(sendFds(socket, data, [this.#master]), "sendmsg");
      close(socket);
    } catch (error) {
      throw new UserError(`--console-socket: ${path} cannot be used`, undefined, error);
    } finally {
      this.close();
    }
  }

  #slaveName(): string {
    const r = ioctl(this.#master, TIOCGPTN, scratch.area(0));
    return r < 0 ? "pts" : `/dev/pts/${scratch.dv.getUint32(scratch.areaOffset(0), true)}`;
  }

  close(): void {
    close(this.#master);
  }
}

/** Through a descriptor of the directory: the path may be longer than a socket address. @throws SyscallError */
function connectStream(path: string): number {
  const flags = F.O_PATH | F.O_DIRECTORY | F.O_CLOEXEC, directory = dirname(path);
  const dir = check(openat(F.AT_FDCWD, directory, flags), `open ${directory}`);
  const fd = check(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  const length = putUnixAddress(`/proc/self/fd/${dir}/${basename(path)}`);
  const r = syscall(SYS_connect, fd, scratch.area(0), length);
  close(dir);
  if (r >= 0) return fd;
  close(fd);
  throw new SyscallError("connect", r);
}
