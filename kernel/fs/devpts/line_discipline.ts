/**
 * The input side of the line discipline N_TTY: turns typed bytes into lines, signals, flow control
 * and echoes (termios(3)). It follows n_tty.c of Linux step by step, because programs depend on
 * every detail.
 *
 * Neighbours: eraser.ts (erasing), output.ts (echoes and OPOST), terminal.ts (owns this object).
 */

import { SIGINT, SIGQUIT, SIGTSTP } from "../../../ffi/abi/signal.ts";
import * as T from "../../../ffi/abi/termios.ts";
import { isControl, toLower } from "./char_class.ts";
import { erase } from "./eraser.ts";
import { INPUT_SIZE, InputQueue } from "./input_queue.ts";
import type { Output } from "./output.ts";
import type { TerminalSettings } from "./termios.ts";

const BS = 8, TAB = 9, LF = 10, CR = 13, CARET = 94;

/** The parts of a terminal that its line discipline uses. */
export interface LineHost {
  /**
   * A signal character for the foreground group was typed; with `flush` input and output are
   * dropped.
   */
  onSignalCharacter(signo: number, flush: boolean): void;
  /** STOP and START characters. */
  stopOutput(): void;
  startOutput(): void;
  /** A reader may have input now. */
  onInput(): void;
}

const PLAIN_INPUT = T.ISTRIP | T.IUCLC | T.IGNCR | T.ICRNL | T.INLCR | T.IXON | T.PARMRK;
const PLAIN_LOCAL = T.ICANON | T.ISIG | T.ECHO;

export class LineDiscipline {
  readonly settings: TerminalSettings;
  readonly input: InputQueue = new InputQueue();
  readonly output: Output;
  private readonly host: LineHost;
  /** For each character whether it needs more than being stored. */
  private readonly special: Uint8Array<ArrayBuffer> = new Uint8Array(256);
  /** No character is special and nothing is echoed. */
  private isRaw: boolean = false;
  /** The next character is taken literally (LNEXT). */
  private isQuoting: boolean = false;
  /** ECHOPRT: a run of erased characters is being echoed. */
  isErasing: boolean = false;

  constructor(settings: TerminalSettings, output: Output, host: LineHost) {
    this.settings = settings;
    this.output = output;
    this.host = host;
    this.onSettings(0, true);
  }

  /** Settings changed; `oldLocal` is the lflag before. */
  onSettings(oldLocal: number, isFirst: boolean): void {
    const { settings } = this;
    if (isFirst || ((oldLocal ^ settings.lflag) & (T.ICANON | T.EXTPROC)) !== 0) {
      this.input.onModeChange(settings.hasLocal(T.ICANON));
      this.isErasing = this.isQuoting = false;
    }
    this.special.fill(0);
    this.isRaw = !settings.hasInput(PLAIN_INPUT) && !settings.hasLocal(PLAIN_LOCAL);
    if (!this.isRaw) this.markSpecial();
  }

  private markSpecial(): void {
    const { settings, special } = this;
    if (settings.hasInput(T.IGNCR | T.ICRNL)) special[CR] = 1;
    if (settings.hasInput(T.INLCR)) special[LF] = 1;
    if (settings.hasLocal(T.ICANON)) {
      special[LF] = 1;
      this.addSpecials(T.VERASE, T.VKILL, T.VEOF, T.VEOL);
      if (settings.hasLocal(T.IEXTEN)) {
        this.addSpecials(T.VWERASE, T.VLNEXT, T.VEOL2);
        if (settings.hasLocal(T.ECHO)) this.addSpecials(T.VREPRINT);
      }
    }
    if (settings.hasInput(T.IXON)) this.addSpecials(T.VSTART, T.VSTOP);
    if (settings.hasLocal(T.ISIG)) this.addSpecials(T.VINTR, T.VQUIT, T.VSUSP);
    special[T.DISABLED_CHAR] = 0;
  }

  private addSpecials(...indexes: number[]): void {
    for (const i of indexes) this.special[this.settings.char(i)] = 1;
  }

  /** The bytes that a read could return now. */
  get readable(): number {
    return this.settings.isCanonical ? this.input.lineBytes : this.input.length;
  }

  /** Whether a read would not wait. VMIN counts only for `poll`, and only without VTIME. */
  isReadable(forPoll: boolean): boolean {
    const { settings, input } = this;
    if (settings.isCanonical) return input.hasLine;
    const min = settings.char(T.VMIN);
    const wanted = forPoll && settings.char(T.VTIME) === 0 && min > 0 ? min : 1;
    return input.length >= wanted;
  }

  /** Drops all input. */
  flush(): void {
    this.input.clear();
    this.isErasing = false;
  }

  /**
   * Takes bytes from the master; returns how many. While there is no complete line, bytes beyond
   * the buffer are taken and lost, so that the end of the line has room.
   */
  receive(src: Uint8Array, from: number, count: number): number {
    const { input, settings } = this;
    let done = 0;
    while (done < count) {
      let room = INPUT_SIZE - input.length;
      if (settings.hasInput(T.PARMRK)) room = Math.ceil(room / 3);
      room--;
      if (room <= 0) {
        const overflows = settings.hasLocal(T.ICANON) && !input.hasLine;
        if (overflows && room < 0) input.head--;
        room = overflows ? 1 : 0;
      }
      const n = Math.min(room, count - done);
      if (n === 0) break;
      this.receiveSome(src, from + done, n);
      done += n;
    }
    return done;
  }

  private receiveSome(src: Uint8Array, from: number, count: number): void {
    const { settings, input } = this;
    if (this.isRaw) {
      for (let i = 0; i < count; i++) input.push(src[from + i]!);
    } else {
      for (let i = 0; i < count; i++) this.receiveByte(src[from + i]!);
      if (settings.hasLocal(T.ECHO | T.ECHONL)) this.output.processEchoes();
    }
    if (!settings.isCanonical && input.length > 0) this.host.onInput();
  }

  private receiveByte(c: number): void {
    const { settings } = this;
    if (settings.hasInput(T.ISTRIP)) c &= 0x7f;
    if (settings.hasInput(T.IUCLC) && settings.hasLocal(T.IEXTEN)) c = toLower(c);
    if (this.isQuoting) {
      this.isQuoting = false;
      this.receivePlain(c);
    } else if (settings.hasLocal(T.EXTPROC)) {
      this.input.push(c);
    } else if (this.special[c] !== 0) {
      this.receiveSpecial(c);
    } else {
      this.receivePlain(c);
    }
  }

  private receivePlain(c: number): void {
    this.restartByAny();
    if (this.settings.hasLocal(T.ECHO)) this.echoTyped(c);
    this.storeByte(c);
  }

  private receiveSpecial(c: number): void {
    const { settings } = this;
    if (settings.hasInput(T.IXON) && this.controlFlow(c)) return;
    if (settings.hasLocal(T.ISIG)) {
      const signo = this.signalOf(c);
      if (signo !== 0) return this.receiveSignal(signo, c);
    }
    this.restartByAny();
    if (c === CR) {
      if (settings.hasInput(T.IGNCR)) return;
      if (settings.hasInput(T.ICRNL)) c = LF;
    } else if (c === LF && settings.hasInput(T.INLCR)) {
      c = CR;
    }
    if (settings.hasLocal(T.ICANON) && this.editLine(c)) return;
    if (settings.hasLocal(T.ECHO)) {
      if (c === LF) {
        this.finishErasing();
        this.output.echoes.raw(LF);
      } else {
        this.echoTyped(c);
      }
    }
    this.storeByte(c);
  }

  /** ICANON: true when the character edited the line or ended it. */
  private editLine(c: number): boolean {
    const { settings } = this, { echoes } = this.output;
    const isExtended = settings.hasLocal(T.IEXTEN), isEchoing = settings.hasLocal(T.ECHO);
    if (
      c === settings.char(T.VERASE) || c === settings.char(T.VKILL) ||
      (isExtended && c === settings.char(T.VWERASE))
    ) {
      erase(this, c);
      return true;
    }
    if (isExtended && c === settings.char(T.VLNEXT)) {
      this.isQuoting = true;
      if (!isEchoing) return true;
      this.finishErasing();
      if (!settings.hasLocal(T.ECHOCTL)) return true;
      echoes.raw(CARET);
      echoes.raw(BS);
      return true;
    }
    if (isExtended && isEchoing && c === settings.char(T.VREPRINT)) {
      this.reprint(c);
      return true;
    }
    if (c === LF) {
      if (settings.hasLocal(T.ECHO | T.ECHONL)) echoes.raw(LF);
      this.endLine(c);
      return true;
    }
    if (c === settings.char(T.VEOF)) {
      this.endLine(T.DISABLED_CHAR);
      return true;
    }
    if (c !== settings.char(T.VEOL) && !(isExtended && c === settings.char(T.VEOL2))) return false;
    if (isEchoing) this.echoFirst(c);
    if (c === 0xff && settings.hasInput(T.PARMRK)) this.input.push(c);
    this.endLine(c);
    return true;
  }

  private reprint(c: number): void {
    const { input } = this;
    this.finishErasing();
    this.echo(c);
    this.output.echoes.raw(LF);
    for (let at = input.lineHead; at < input.head; at++) this.echo(input.at(at));
  }

  private endLine(c: number): void {
    this.input.pushEnd(c);
    this.host.onInput();
  }

  private storeByte(c: number): void {
    if (c === 0xff && this.settings.hasInput(T.PARMRK)) this.input.push(c);
    this.input.push(c);
  }

  private controlFlow(c: number): boolean {
    if (c === this.settings.char(T.VSTART)) {
      this.host.startOutput();
      this.output.processEchoes();
      return true;
    }
    if (c !== this.settings.char(T.VSTOP)) return false;
    this.host.stopOutput();
    return true;
  }

  private signalOf(c: number): number {
    const { settings } = this;
    if (c === settings.char(T.VINTR)) return SIGINT;
    if (c === settings.char(T.VQUIT)) return SIGQUIT;
    return c === settings.char(T.VSUSP) ? SIGTSTP : 0;
  }

  private receiveSignal(signo: number, c: number): void {
    const { settings } = this;
    const flush = !settings.hasLocal(T.NOFLSH);
    if (flush) {
      this.output.echoes.clear();
      this.flush();
    }
    this.host.onSignalCharacter(signo, flush);
    if (settings.hasInput(T.IXON)) this.host.startOutput();
    if (settings.hasLocal(T.ECHO)) this.echo(c);
    else this.output.processEchoes();
  }

  /** IXANY: any character restarts stopped output. */
  private restartByAny(): void {
    const { output, settings } = this;
    if (!output.isStopped || output.isStoppedByCall) return;
    if ((settings.iflag & (T.IXON | T.IXANY)) !== (T.IXON | T.IXANY)) return;
    this.host.startOutput();
    output.processEchoes();
  }

  private echoTyped(c: number): void {
    this.finishErasing();
    this.echoFirst(c);
  }

  /** Echoes a character; the first one of a line also records its column. */
  private echoFirst(c: number): void {
    if (this.input.isLineEmpty) this.output.echoes.setColumn();
    this.echo(c);
  }

  /** Echoes a character according to ECHOCTL. */
  echo(c: number): void {
    const { echoes } = this.output;
    if (isControl(c) && c !== TAB && this.settings.hasLocal(T.ECHOCTL)) echoes.caret(c);
    else echoes.raw(c);
  }

  /** ECHOPRT: ends a run of erased characters. */
  finishErasing(): void {
    if (!this.isErasing) return;
    this.output.echoes.raw(0x2f);
    this.isErasing = false;
  }
}
