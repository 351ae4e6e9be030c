/**
 * The settings of a terminal (termios(3)) and their forms in user memory: struct termios, termios2,
 * termio. line_discipline.ts and output.ts implement what they mean.
 */

import * as T from "../../../ffi/abi/termios.ts";

/** The shift of the input speed in `cflag`. */
const IBSHIFT = 16;
/** The bit of `cflag` for more speeds than fit into 4 bits (CBAUDEX). */
const CBAUDEX = 0o10000;

const SPEEDS: readonly number[] = [
  ...[0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400],
  ...[57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000],
  ...[2000000, 2500000, 3000000, 3500000, 4000000],
];

/** The three structs, which begin alike. */
export const TERMIOS = 0, TERMIOS2 = 1, TERMIO = 2;
export const TERMIOS_SIZES: readonly number[] = [T.Termios.size, T.Termios2.size, T.Termio.size];

/** By index V*: ^C ^\ DEL ^U ^D - min 1 - ^Q ^S ^Z - ^R ^O ^W ^V - */
const DEFAULT_CC: readonly number[] = [
  3,
  28,
  127,
  21,
  4,
  0,
  1,
  0,
  17,
  19,
  26,
  0,
  18,
  15,
  23,
  22,
  0,
  0,
  0,
];

export class TerminalSettings {
  iflag: number = T.ICRNL | T.IXON;
  oflag: number = T.OPOST | T.ONLCR;
  cflag: number = T.B38400 | T.CS8 | T.CREAD;
  lflag: number = T.ISIG | T.ICANON | T.ECHO | T.ECHOE | T.ECHOK | T.ECHOCTL | T.ECHOKE | T.IEXTEN;
  line: number = T.N_TTY;
  readonly cc: Uint8Array<ArrayBuffer> = new Uint8Array(DEFAULT_CC);
  ispeed: number = 38400;
  ospeed: number = 38400;

  copy(from: TerminalSettings): void {
    this.iflag = from.iflag;
    this.oflag = from.oflag;
    this.cflag = from.cflag;
    this.lflag = from.lflag;
    this.line = from.line;
    this.cc.set(from.cc);
    this.ispeed = from.ispeed;
    this.ospeed = from.ospeed;
  }

  /** Settings without any bit: as a lock (TIOCSLCKTRMIOS) they allow every change. */
  static none(): TerminalSettings {
    const none = new TerminalSettings();
    none.iflag =
      none.oflag =
      none.cflag =
      none.lflag =
      none.line =
        0;
    none.cc.fill(0);
    return none;
  }

  /** Restores from `old` what is set in `locked`: bits of the flags, and whole characters. */
  restoreLocked(old: TerminalSettings, locked: TerminalSettings): void {
    this.iflag = (old.iflag & locked.iflag) | (this.iflag & ~locked.iflag);
    this.oflag = (old.oflag & locked.oflag) | (this.oflag & ~locked.oflag);
    this.cflag = (old.cflag & locked.cflag) | (this.cflag & ~locked.cflag);
    this.lflag = (old.lflag & locked.lflag) | (this.lflag & ~locked.lflag);
    if (locked.line !== 0) this.line = old.line;
    for (let i = 0; i < this.cc.length; i++) if (locked.cc[i] !== 0) this.cc[i] = old.cc[i]!;
  }

  hasInput(flag: number): boolean {
    return (this.iflag & flag) !== 0;
  }
  hasOutput(flag: number): boolean {
    return (this.oflag & flag) !== 0;
  }
  hasLocal(flag: number): boolean {
    return (this.lflag & flag) !== 0;
  }
  /** The control character at index V*. */
  char(index: number): number {
    return this.cc[index]!;
  }
  /** Whether the line discipline makes lines of the input. */
  get isCanonical(): boolean {
    return (this.lflag & (T.ICANON | T.EXTPROC)) === T.ICANON;
  }

  /** Writes one of the structs to the start of `dv`. */
  encode(form: number, dv: DataView): void {
    if (form === TERMIO) {
      dv.setUint16(T.Termio.at.iflag, this.iflag, true);
      dv.setUint16(T.Termio.at.oflag, this.oflag, true);
      dv.setUint16(T.Termio.at.cflag, this.cflag, true);
      dv.setUint16(T.Termio.at.lflag, this.lflag, true);
      dv.setUint8(T.Termio.at.line, this.line);
      for (let i = 0; i < 8; i++) dv.setUint8(T.Termio.at.cc + i, this.cc[i]!);
      return;
    }
    dv.setUint32(T.Termios.at.iflag, this.iflag, true);
    dv.setUint32(T.Termios.at.oflag, this.oflag, true);
    dv.setUint32(T.Termios.at.cflag, this.cflag, true);
    dv.setUint32(T.Termios.at.lflag, this.lflag, true);
    dv.setUint8(T.Termios.at.line, this.line);
    for (let i = 0; i < T.NCCS; i++) dv.setUint8(T.Termios.at.cc + i, this.cc[i]!);
    if (form !== TERMIOS2) return;
    dv.setUint32(T.Termios2.at.ispeed, this.ispeed, true);
    dv.setUint32(T.Termios2.at.ospeed, this.ospeed, true);
  }

  /** Reads one of the structs; a termio leaves the settings that it does not have. */
  decode(form: number, dv: DataView): void {
    if (form === TERMIO) {
      this.iflag = (this.iflag & ~0xffff) | dv.getUint16(T.Termio.at.iflag, true);
      this.oflag = (this.oflag & ~0xffff) | dv.getUint16(T.Termio.at.oflag, true);
      this.cflag = (this.cflag & ~0xffff) | dv.getUint16(T.Termio.at.cflag, true);
      this.lflag = (this.lflag & ~0xffff) | dv.getUint16(T.Termio.at.lflag, true);
      this.line = dv.getUint8(T.Termio.at.line);
      for (let i = 0; i < 8; i++) this.cc[i] = dv.getUint8(T.Termio.at.cc + i);
    } else {
      this.iflag = dv.getUint32(T.Termios.at.iflag, true);
      this.oflag = dv.getUint32(T.Termios.at.oflag, true);
      this.cflag = dv.getUint32(T.Termios.at.cflag, true);
      this.lflag = dv.getUint32(T.Termios.at.lflag, true);
      this.line = dv.getUint8(T.Termios.at.line);
      for (let i = 0; i < T.NCCS; i++) this.cc[i] = dv.getUint8(T.Termios.at.cc + i);
      if (form === TERMIOS2) {
        this.ispeed = dv.getUint32(T.Termios2.at.ispeed, true);
        this.ospeed = dv.getUint32(T.Termios2.at.ospeed, true);
      }
    }
    this.ispeed = this.inputSpeed();
    this.ospeed = this.outputSpeed();
  }

  /** Applies what a pseudoterminal enforces: 8 bits, no parity, and CREAD. */
  enforcePtyModes(): void {
    this.cflag = ((this.cflag & ~(T.CSIZE | T.PARENB)) | T.CS8 | T.CREAD) >>> 0;
  }

  private outputSpeed(): number {
    return speedOf(this.cflag & T.CBAUD, this.ospeed);
  }
  private inputSpeed(): number {
    const bits = (this.cflag >>> IBSHIFT) & T.CBAUD;
    return bits === T.B0 ? this.outputSpeed() : speedOf(bits, this.ispeed);
  }
}

/** The speed in bits per second; BOTHER means `other`. */
function speedOf(bits: number, other: number): number {
  if (bits === T.BOTHER) return other;
  const index = (bits & CBAUDEX) !== 0 ? (bits & ~CBAUDEX) + 15 : bits;
  return SPEEDS[index] ?? 0;
}
