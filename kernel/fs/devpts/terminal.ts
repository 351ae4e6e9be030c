/**
 * A pseudoterminal (pty(7)): the line discipline between a master and its slaves, the window size,
 * flow control, packet mode, and the close of either side.
 *
 * Neighbours: master_file.ts and slave_file.ts (the two sides as open files), job_control.ts
 * (sessions), hooks.ts.
 */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import { EAGAIN, EIO } from "../../../ffi/abi/errno.ts";
import {
  TIOCPKT_DOSTOP,
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_IOCTL,
  TIOCPKT_NOSTOP,
  TIOCPKT_START,
  TIOCPKT_STOP,
} from "../../../ffi/abi/ioctl.ts";
import { makedev } from "../../../ffi/abi/stat.ts";
import { EXTPROC, IXON, VSTART, VSTOP } from "../../../ffi/abi/termios.ts";
import { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { ByteQueue } from "./byte_queue.ts";
import type { ControllingTerminal, TerminalHooks, TtyGroup, TtySession } from "./hooks.ts";
import { hangUp, onLeaderExit } from "./job_control.ts";
import { LineDiscipline, type LineHost } from "./line_discipline.ts";
import { LONGEST_OUTPUT, Output } from "./output.ts";
import { TerminalSettings } from "./termios.ts";

/** The major number of slaves; their index is the minor number. */
const PTS_MAJOR = 136;
/** LIMIT: bytes of input that wait for room in the line discipline. */
const BACKLOG = 8192;
const CHUNK = 2048;
/** LIMIT: bytes that a write to the master takes: one ^R among them may echo a line of 4 KB. */
const INPUT_AT_ONCE = 12_288;
const CTRL_Q = 17, CTRL_S = 19;

export const READABLE: number = POLLIN | POLLRDNORM;
export const WRITABLE: number = POLLOUT | POLLWRNORM;
const EVERYTHING = READABLE | WRITABLE | POLLPRI | POLLHUP | POLLERR;

const chunk = new Uint8Array(CHUNK);

/** The file system that gave a terminal its number. */
export interface TerminalHome {
  onMasterClosed(terminal: Terminal): void;
  /** Both sides are closed. */
  onUnused(terminal: Terminal): void;
}

export class Terminal implements ControllingTerminal, LineHost {
  readonly index: number;
  readonly hooks: TerminalHooks;
  private readonly home: TerminalHome;
  readonly settings: TerminalSettings = new TerminalSettings();
  /** The settings that TIOCSLCKTRMIOS locks. */
  readonly locked: TerminalSettings = TerminalSettings.none();
  readonly output: Output;
  readonly line: LineDiscipline;
  private readonly backlog: ByteQueue = new ByteQueue(BACKLOG);
  /** The waiters at slaves, and at the master. */
  readonly slaveQueue: WaitQueue = new WaitQueue();
  readonly masterQueue: WaitQueue = new WaitQueue();
  rows: number = 0;
  columns: number = 0;
  xpixel: number = 0;
  ypixel: number = 0;
  /** The session whose controlling terminal it is, and the foreground group. */
  session: TtySession | null = null;
  foreground: TtyGroup | null = null;
  isMasterOpen: boolean = true;
  /** The number of open slaves; `areSlavesGone`: all that were open are closed. */
  slaves: number = 0;
  areSlavesGone: boolean = false;
  /** Counts hang-ups: slaves that were opened in an earlier generation are hung up. */
  generation: number = 0;
  /** TIOCSPTLCK: no slave can be opened. */
  isLocked: boolean = true;
  /** TIOCEXCL. */
  isExclusive: boolean = false;
  /** TIOCPKT, and the TIOCPKT_* bits that the master has not read yet. */
  isPacket: boolean = false;
  packetStatus: number = 0;
  /** TCXONC at the master: its writes wait. */
  isInputStopped: boolean = false;

  constructor(index: number, hooks: TerminalHooks, home: TerminalHome) {
    this.index = index;
    this.hooks = hooks;
    this.home = home;
    this.output = new Output(this.settings);
    this.line = new LineDiscipline(this.settings, this.output, this);
  }

  get rdev(): number {
    return makedev(PTS_MAJOR, this.index);
  }
  get foregroundPgid(): number {
    return this.foreground === null ? 0 : this.hooks.groupNumber(this.foreground);
  }
  onLeaderExit(session: TtySession): void {
    onLeaderExit(this, session);
  }

  /** A read at the master, as OpenFile.read. */
  readOutput(io: IoCursor): number {
    if (io.remaining === 0) return 0;
    if (this.isPacket && this.packetStatus !== 0) {
      chunk[0] = this.packetStatus;
      this.packetStatus = 0;
      return io.putBytes(chunk, 0, 1);
    }
    const { queue } = this.output;
    if (queue.length === 0) return this.areSlavesGone ? -EIO : -EAGAIN;
    let total = 0;
    if (this.isPacket) {
      chunk[0] = 0;
      total = io.putBytes(chunk, 0, 1);
      if (total < 0) return total;
    }
    const n = queue.moveTo(io, io.remaining);
    if (n < 0) return total > 0 ? total : n;
    this.afterFetch();
    return total + n;
  }

  /**
   * Reads bytes for the master into an array; returns how many, or -EIO when no slave is open any
   * more.
   */
  fetchOutput(dst: Uint8Array): number {
    const { queue } = this.output;
    if (queue.length === 0) return this.areSlavesGone ? -EIO : 0;
    const n = queue.peek(dst, dst.length);
    queue.skip(n);
    this.afterFetch();
    return n;
  }

  /** Wakes writers of slaves when there is room for more output. */
  private afterFetch(): void {
    if (this.output.room >= LONGEST_OUTPUT) this.slaveQueue.wake(WRITABLE);
  }

  /** A write at the master, as OpenFile.write. */
  writeInput(io: IoCursor): number {
    let total = 0;
    while (io.remaining > 0 && total < INPUT_AT_ONCE) {
      const max = Math.min(io.remaining, CHUNK, this.inputRoom);
      if (max === 0) break;
      const n = io.takeBytes(chunk, 0, max);
      if (n < 0) return total > 0 ? total : n;
      this.typeInput(chunk, n);
      total += n;
      if (n < max) break;
    }
    return total > 0 || io.remaining === 0 ? total : -EAGAIN;
  }

  get inputRoom(): number {
    return this.isInputStopped ? 0 : this.backlog.room;
  }

  /** Takes `count` bytes of `src`, at most `inputRoom`, as typed input. */
  typeInput(src: Uint8Array, count: number): void {
    const before = this.output.queue.length;
    const used = this.backlog.length === 0 ? this.receive(src, count) : 0;
    if (used < count) this.backlog.pushAll(src, used, count - used);
    this.notifyMaster(before);
  }

  private receive(src: Uint8Array, count: number): number {
    this.output.beginInput();
    const used = this.line.receive(src, 0, count);
    this.output.endInput();
    return used;
  }

  /** A read at a slave; there is input, and with ICANON a line. */
  readInput(io: IoCursor): number {
    const { input } = this.line;
    const n = this.settings.isCanonical ? input.readLine(io) : input.readAny(io);
    this.receiveBacklog();
    return n;
  }

  /** Passes input that waited for room to the line discipline. */
  receiveBacklog(): void {
    const { backlog } = this, before = this.output.queue.length;
    const hadRoom = backlog.room > 0;
    while (backlog.length > 0) {
      const count = backlog.peek(chunk, CHUNK);
      const used = this.receive(chunk, count);
      backlog.skip(used);
      if (used < count) break;
    }
    this.notifyMaster(before);
    if (!hadRoom && backlog.room > 0) this.masterQueue.wake(WRITABLE);
  }

  /** A write at a slave, as OpenFile.write. */
  writeOutput(io: IoCursor): number {
    const { output } = this, before = output.queue.length;
    output.processEchoes();
    let total = 0, error = 0;
    while (io.remaining > 0) {
      const max = output.capacity(Math.min(io.remaining, CHUNK));
      if (max === 0) break;
      const n = io.takeBytes(chunk, 0, max);
      if (n < 0) error = n;
      if (n <= 0) break;
      output.write(chunk, n);
      total += n;
      if (n < max) break;
    }
    this.notifyMaster(before);
    if (total > 0 || io.remaining === 0) return total;
    return error < 0 ? error : -EAGAIN;
  }

  /** Wakes the master if the output queue has more than `before` bytes. */
  private notifyMaster(before: number): void {
    if (this.output.queue.length > before) this.masterQueue.wake(READABLE);
  }

  pollMaster(): number {
    let bits = 0;
    if (this.output.queue.length > 0) bits |= READABLE;
    if (this.isPacket && this.packetStatus !== 0) bits |= READABLE | POLLPRI;
    if (this.areSlavesGone) bits |= POLLHUP;
    return this.inputRoom > 0 ? bits | WRITABLE : bits;
  }

  pollSlave(): number {
    let bits = 0;
    if (this.line.isReadable(true)) bits |= READABLE;
    if (!this.isMasterOpen) bits |= POLLHUP;
    return this.output.room >= LONGEST_OUTPUT ? bits | WRITABLE : bits;
  }

  /** A signal character was typed, or TIOCSIG was called. */
  onSignalCharacter(signo: number, flush: boolean): void {
    if (this.foreground !== null) this.hooks.signalGroup(this.foreground, signo);
    if (!flush) return;
    this.flushOutput();
    this.tellPacket(TIOCPKT_FLUSHREAD, 0);
  }
  onInput(): void {
    this.slaveQueue.wake(READABLE);
  }

  stopOutput(): void {
    if (this.output.isStopped) return;
    this.output.isStopped = true;
    this.tellPacket(TIOCPKT_STOP, TIOCPKT_START);
  }
  startOutput(): void {
    if (!this.output.isStopped || this.output.isStoppedByCall) return;
    this.output.isStopped = false;
    this.tellPacket(TIOCPKT_START, TIOCPKT_STOP);
    this.slaveQueue.wake(WRITABLE);
  }

  /** Drops unread input (tcflush(3)). */
  flushInput(): void {
    this.backlog.truncate(0);
    this.flushLine();
    this.masterQueue.wake(WRITABLE);
  }
  /**
   * Drops the input of the line discipline and passes it the input that waits behind (TCSAFLUSH).
   */
  flushLine(): void {
    this.line.flush();
    this.tellPacket(TIOCPKT_FLUSHREAD, 0);
    this.receiveBacklog();
  }
  /** Drops output that the master has not read. */
  flushOutput(): void {
    this.output.flush();
    this.tellPacket(TIOCPKT_FLUSHWRITE, 0);
    this.slaveQueue.wake(WRITABLE);
  }
  /**
   * tcflush(3) at the master: its input is the unread output; its output is the input that waits
   * for the line discipline.
   */
  flushMasterInput(): void {
    this.output.queue.truncate(0);
    this.slaveQueue.wake(WRITABLE);
  }
  flushMasterOutput(): void {
    this.backlog.truncate(0);
    this.masterQueue.wake(WRITABLE);
  }

  private tellPacket(set: number, clear: number): void {
    if (!this.isPacket) return;
    this.packetStatus = (this.packetStatus & ~clear) | set;
    this.masterQueue.wake(READABLE | POLLPRI);
  }

  /** tcsetattr(3): makes `next` the settings. */
  setSettings(next: TerminalSettings): void {
    const { settings } = this;
    const oldLocal = settings.lflag, hadFlow = this.hasUsualFlow, hadXon = settings.hasInput(IXON);
    settings.copy(next);
    settings.enforcePtyModes();
    this.line.onSettings(oldLocal, false);
    const hasFlow = this.hasUsualFlow, isExternal = ((oldLocal | settings.lflag) & EXTPROC) !== 0;
    if (hasFlow !== hadFlow) {
      const both = TIOCPKT_DOSTOP | TIOCPKT_NOSTOP;
      this.tellPacket(hasFlow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP, both);
    }
    if (isExternal) this.tellPacket(TIOCPKT_IOCTL, 0);
    if (hadXon && !settings.hasInput(IXON)) {
      const before = this.output.queue.length;
      this.startOutput();
      this.output.processEchoes();
      this.notifyMaster(before);
    }
    this.slaveQueue.wake(READABLE | WRITABLE);
  }

  /** Whether ^S and ^Q are STOP and START. */
  private get hasUsualFlow(): boolean {
    const { settings } = this;
    return settings.hasInput(IXON) && settings.char(VSTOP) === CTRL_S &&
      settings.char(VSTART) === CTRL_Q;
  }

  slaveOpened(): void {
    this.slaves++;
    this.areSlavesGone = false;
  }
  slaveClosed(): void {
    if (--this.slaves > 0) return;
    this.areSlavesGone = true;
    this.masterQueue.wake(EVERYTHING);
    if (!this.isMasterOpen) this.home.onUnused(this);
  }
  masterClosed(): void {
    this.isMasterOpen = false;
    this.isPacket = false;
    this.home.onMasterClosed(this);
    hangUp(this);
  }

  hangUp(): void {
    hangUp(this);
  }

  /** Sends a flow control character to the master in spite of STOP. */
  sendDirectly(c: number): void {
    if (this.output.isStoppedByCall) return;
    this.output.pushDirectly(c);
    this.masterQueue.wake(READABLE);
  }

  wakeMaster(): void {
    this.masterQueue.wake(WRITABLE);
  }
  /** Wakes all waiters at slaves. */
  wakeSlaves(): void {
    this.slaveQueue.wake(EVERYTHING);
  }
}
