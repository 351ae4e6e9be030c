/**
 * A pseudoterminal of the host for a client that wants the guest's terminal over a socket
 * (`--console-socket`). The client gets the master. The sandbox gets the slave, in raw mode; its
 * kernel has the terminal that the guest sees.
 *
 * See pty(7), unix(7). Neighbours: boot/guest/terminal_bridge.ts moves the bytes;
 * launch/proxy_process.ts gets the size changes.
 */

import * as F from "../../ffi/abi/fcntl.ts";
import { TIOCGPTN, TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from "../../ffi/abi/ioctl.ts";
import { Winsize } from "../../ffi/abi/termios.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { close, ioctl, openat } from "../../ffi/sys/files.ts";
import { giveFd } from "./give_fd.ts";
import { UserError } from "../user_error.ts";
import { RawTerminal, type TerminalSize } from "../host/terminal.ts";

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

  /**
   * A new open file of the slave, nonblocking.
   * @throws SyscallError
   */
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

  /**
   * Sends the master to the process that listens at `path`, and closes it here. Does not wait for
   * an answer.
   * @throws UserError
   */
  sendMaster(path: string): void {
    try {
      giveFd(path, this.#slaveName(), this.#master);
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
