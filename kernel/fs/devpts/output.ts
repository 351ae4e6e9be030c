/**
 * The output side of a terminal: turns writes and echoes into the bytes that the master reads
 * (OPOST of termios(3), n_tty.c of Linux). It tracks the column, which tabs and erasing need.
 *
 * line_discipline.ts makes the echoes; echo_queue.ts holds them; terminal.ts owns this object.
 */

import * as T from "../../../ffi/abi/termios.ts";
import { ByteQueue } from "./byte_queue.ts";
import { isControl, toUpper } from "./char_class.ts";
import {
  AFTER_TAB,
  ECHO_ERASE_TAB,
  ECHO_MOVE_BACK,
  ECHO_OP,
  ECHO_SET_COLUMN,
  EchoQueue,
} from "./echo_queue.ts";
import type { TerminalSettings } from "./termios.ts";

/** LIMIT: bytes that wait for the master; as many as Linux holds in its two buffers. */
const OUTPUT_LIMIT = 12288;
/** The most bytes that one byte of output becomes: a tab as spaces. */
export const LONGEST_OUTPUT = 8;
/** The waiting bytes that a flush does not drop: in Linux they are in the master's own buffer. */
const PAST_FLUSH = 4095;

const BS = 8, TAB = 9, LF = 10, CR = 13, SPACE = 32, CARET = 94;

export class Output {
  readonly queue: ByteQueue = new ByteQueue(OUTPUT_LIMIT);
  readonly echoes: EchoQueue = new EchoQueue();
  private readonly settings: TerminalSettings;
  private column: number = 0;
  /** The column of the first character of the line that is being typed. */
  private inputColumn: number = 0;
  /** Stopped by STOP (^S), or by TCXONC, which only TCXONC undoes. */
  isStopped: boolean = false;
  isStoppedByCall: boolean = false;
  /**
   * While input is handled: the number of bytes that waited before. A flush drops the echoes behind
   * them.
   */
  private settled: number = Infinity;

  constructor(settings: TerminalSettings) {
    this.settings = settings;
  }

  /** The bytes of output that have room now. */
  get room(): number {
    return this.isStopped ? 0 : this.queue.room;
  }

  /** How many of `wanted` bytes can certainly be written now. */
  capacity(wanted: number): number {
    const room = this.room;
    if (!this.settings.hasOutput(T.OPOST)) return Math.min(wanted, room);
    const expansion = (this.settings.oflag & T.TABDLY) === T.XTABS ? LONGEST_OUTPUT : 2;
    return Math.min(wanted, Math.floor(room / expansion));
  }

  /** Writes `count` bytes, at most `capacity`. HOT */
  write(src: Uint8Array, count: number): void {
    if (!this.settings.hasOutput(T.OPOST)) this.queue.pushAll(src, 0, count);
    else for (let i = 0; i < count; i++) this.process(src[i]!);
  }

  /** Queues one byte in spite of STOP (flow control characters). */
  pushDirectly(c: number): void {
    if (this.queue.room > 0) this.queue.push(c);
  }

  /** Input is handled from here to `endInput`. */
  beginInput(): void {
    this.settled = this.queue.length;
  }
  endInput(): void {
    this.settled = Infinity;
  }

  /** Drops the output that has not reached the master's buffer. */
  flush(): void {
    this.queue.truncate(Math.min(PAST_FLUSH, this.settled));
  }

  /** Performs the echoes that have room. */
  processEchoes(): void {
    const { echoes } = this;
    while (!echoes.isEmpty) {
      const length = this.echoOne(echoes.at(0), this.room);
      if (length === 0) return;
      echoes.skip(length);
    }
  }

  /**
   * Performs the first echo, which begins with `c`; returns its length, or 0 when there is no room.
   */
  private echoOne(c: number, room: number): number {
    const { echoes } = this;
    if (c !== ECHO_OP) {
      if (room < LONGEST_OUTPUT) return 0;
      if (this.settings.hasOutput(T.OPOST)) this.process(c);
      else this.queue.push(c);
      return 1;
    }
    const op = echoes.at(1);
    switch (op) {
      case ECHO_ERASE_TAB:
        return room >= LONGEST_OUTPUT ? this.eraseTab(echoes.at(2)) : 0;
      case ECHO_SET_COLUMN:
        this.inputColumn = this.column;
        return 2;
      case ECHO_MOVE_BACK:
        this.moveBack();
        return 2;
      case ECHO_OP:
        if (room < 1) return 0;
        this.queue.push(op);
        this.column++;
        return 2;
      default:
        if (room < 2) return 0;
        this.queue.push(CARET);
        this.queue.push(op ^ 0x40);
        this.column += 2;
        return 2;
    }
  }

  private eraseTab(operand: number): number {
    const columns = (operand & AFTER_TAB) !== 0 ? operand : operand + this.inputColumn;
    for (let n = 8 - (columns & 7); n > 0; n--) {
      this.queue.push(BS);
      this.moveBack();
    }
    return 3;
  }

  private moveBack(): void {
    if (this.column > 0) this.column--;
  }

  /** Writes one byte with OPOST; there is room for the longest output. HOT */
  private process(c: number): void {
    const { settings, queue } = this;
    switch (c) {
      case LF:
        if (settings.hasOutput(T.ONLRET)) this.column = 0;
        if (settings.hasOutput(T.ONLCR)) {
          this.inputColumn = this.column = 0;
          queue.push(CR);
        } else {
          this.inputColumn = this.column;
        }
        break;
      case CR:
        if (settings.hasOutput(T.ONOCR) && this.column === 0) return;
        if (settings.hasOutput(T.OCRNL)) {
          c = LF;
          if (settings.hasOutput(T.ONLRET)) this.inputColumn = this.column = 0;
        } else {
          this.inputColumn = this.column = 0;
        }
        break;
      case TAB: {
        const spaces = 8 - (this.column & 7);
        this.column += spaces;
        if ((settings.oflag & T.TABDLY) !== T.XTABS) break;
        for (let i = 0; i < spaces; i++) queue.push(SPACE);
        return;
      }
      case BS:
        this.moveBack();
        break;
      default:
        if (isControl(c)) break;
        if (settings.hasOutput(T.OLCUC)) c = toUpper(c);
        if ((c & 0xc0) !== 0x80 || !settings.hasInput(T.IUTF8)) this.column++;
    }
    queue.push(c);
  }
}
