/**
 * The host terminal of the launcher: its raw mode while a guest has it, its size, and its state at
 * the end.
 *
 * The guest's terminal, with its line discipline, is in the kernel; boot/guest/terminal_bridge.ts
 * connects the two. See termios(3).
 */

import { TCGETS, TCSETS, TIOCGWINSZ } from "../../ffi/abi/ioctl.ts";
import * as T from "../../ffi/abi/termios.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { ioctl } from "../../ffi/sys/files.ts";
import { check } from "../../ffi/sys/errors.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Whether a descriptor is a terminal: isatty(3). */
export function isTerminal(fd: number): boolean {
  return ioctl(fd, TCGETS, scratch.area(0)) === 0;
}

/** Rows and columns; null if `fd` is no terminal. */
export function terminalSize(fd: number): TerminalSize | null {
  if (ioctl(fd, TIOCGWINSZ, scratch.area(0)) < 0) return null;
  const at = scratch.areaOffset(0);
  const rows = scratch.dv.getUint16(at + T.Winsize.at.row, true);
  const columns = scratch.dv.getUint16(at + T.Winsize.at.col, true);
  return { rows, columns };
}

/** A terminal that can be put in raw mode and back. */
export class RawTerminal {
  readonly fd: number;
  /** struct termios as it was. */
  readonly saved: Uint8Array;
  readonly raw: Uint8Array;

  /**
   * Saves the state and changes nothing yet.
   * @throws SyscallError if it is no terminal
   */
  constructor(fd: number) {
    this.fd = fd;
    check(ioctl(fd, TCGETS, scratch.area(0)), "ioctl TCGETS");
    const at = scratch.areaOffset(0);
    this.saved = scratch.u8.slice(at, at + T.Termios.size);
    makeRaw(at);
    this.raw = scratch.u8.slice(at, at + T.Termios.size);
  }

  enter(): void {
    this.#set(this.raw);
  }
  restore(): void {
    this.#set(this.saved);
  }

  /**
   * Takes effect at once (TCSANOW), because output that the other side does not read would block.
   */
  #set(state: Uint8Array): void {
    scratch.u8.set(state, scratch.areaOffset(0));
    ioctl(this.fd, TCSETS, scratch.area(0));
  }
}

/** cfmakeraw(3) on the struct termios at `at` of scratch memory. */
function makeRaw(at: number): void {
  const { dv, u8 } = scratch;
  const { iflag, oflag, lflag, cflag, cc } = T.Termios.at;
  const clear = (field: number, bits: number): void => {
    dv.setUint32(at + field, dv.getUint32(at + field, true) & ~bits, true);
  };
  clear(
    iflag,
    T.IGNBRK | T.BRKINT | T.PARMRK | T.ISTRIP | T.INLCR | T.IGNCR | T.ICRNL | T.IXON,
  );
  clear(oflag, T.OPOST);
  clear(lflag, T.ECHO | T.ECHONL | T.ICANON | T.ISIG | T.IEXTEN);
  clear(cflag, T.CSIZE | T.PARENB);
  dv.setUint32(at + cflag, dv.getUint32(at + cflag, true) | T.CS8, true);
  u8[at + cc + T.VMIN] = 1;
  u8[at + cc + T.VTIME] = 0;
}
