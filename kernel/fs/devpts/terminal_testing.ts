/**
 * A terminal for unit tests: both sides as files, with sessions and processes that a test makes.
 */

import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { EFAULT } from "../../../ffi/abi/errno.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { FakeHost } from "../../testing/fake_host.ts";
import type { Caller } from "../../vfs/caller.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { BufferCursor } from "../../vfs/vfs_testing.ts";
import { bytesToString, stringToBytes } from "../../core/bytes.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { DevptsFs } from "./devpts_fs.ts";
import type { ControllingTerminal, TerminalHooks, TtyGroup, TtySession } from "./hooks.ts";
import type { SlaveInode } from "./inodes.ts";
import { SlaveFile } from "./slave_file.ts";
import type { Terminal } from "./terminal.ts";
import { TerminalSettings } from "./termios.ts";

/** User memory in which every access is a fault. */
export const NO_MEMORY: UserMemory = {
  copyIn: () => -EFAULT,
  copyOut: () => -EFAULT,
  clear: () => -EFAULT,
  load8: () => -1,
  load16: () => -1,
  load32: () => -1,
  load64: () => -1,
  store8: () => -EFAULT,
  store16: () => -EFAULT,
  store32: () => -EFAULT,
  store64: () => -EFAULT,
  cas32: () => -1,
  cstring: () => -EFAULT,
};

export class TestSession implements TtySession {
  readonly sid: number;
  terminal: ControllingTerminal | null = null;
  hungUpGroup: TtyGroup | null = null;

  constructor(sid: number) {
    this.sid = sid;
  }
}

export class TestGroup implements TtyGroup {
  readonly pgid: number;
  readonly session: TestSession;
  isOrphaned: boolean = false;

  constructor(pgid: number, session: TestSession) {
    this.pgid = pgid;
    this.session = session;
  }
}

/**
 * Hooks with one calling process, that of `group`; it is the session's leader when both numbers are
 * equal.
 */
export class TestHooks implements TerminalHooks {
  group: TestGroup | null = null;
  readonly groups: Map<number, TestGroup> = new Map();
  readonly ignored: Set<number> = new Set();
  isRoot: boolean = false;
  hasLeft: boolean = false;
  /** The signals that were sent: `pgid:signal`, and `leader SID:signal`, in order. */
  readonly sent: string[] = [];

  caller(): Caller | null {
    return null;
  }
  callerSession(): TtySession | null {
    return this.group?.session ?? null;
  }
  callerGroup(): TtyGroup | null {
    return this.group;
  }
  callerTerminal(): ControllingTerminal | null {
    return this.hasLeft ? null : this.group?.session.terminal ?? null;
  }
  isSessionLeader(): boolean {
    return this.group !== null && this.group.pgid === this.group.session.sid;
  }
  isCapable(_capability: number): boolean {
    return this.isRoot;
  }
  fdLimit(): number {
    return 1024;
  }
  isIgnored(signo: number): boolean {
    return this.ignored.has(signo);
  }
  isOrphaned(group: TtyGroup): boolean {
    return group instanceof TestGroup && group.isOrphaned;
  }
  findGroup(pgid: number): TtyGroup | null {
    return this.groups.get(pgid) ?? null;
  }
  groupNumber(group: TtyGroup): number {
    return group instanceof TestGroup ? group.pgid : 0;
  }
  sessionNumber(session: TtySession): number {
    return session instanceof TestSession ? session.sid : 0;
  }
  signalGroup(group: TtyGroup, signo: number): void {
    this.sent.push(`${this.groupNumber(group)}:${signo}`);
  }
  signalLeader(session: TtySession, signo: number): void {
    this.sent.push(`leader ${this.sessionNumber(session)}:${signo}`);
  }
  leaveTerminal(): void {
    this.hasLeft = true;
  }
  joinTerminal(): void {
    this.hasLeft = false;
  }

  /** Makes a group that `findGroup` finds. */
  newGroup(pgid: number, session: TestSession): TestGroup {
    const group = new TestGroup(pgid, session);
    this.groups.set(pgid, group);
    return group;
  }
}

export class TerminalLab {
  readonly host: FakeHost = new FakeHost();
  readonly hooks: TestHooks = new TestHooks();
  readonly fs: DevptsFs;
  readonly inode: SlaveInode;
  readonly terminal: Terminal;
  readonly slave: SlaveFile;

  constructor(flags: number = 2) {
    const options = { uid: -1, gid: -1, mode: 0o620, ptmxMode: 0o666, max: 8 };
    this.fs = new DevptsFs(new Vfs(this.host), this.hooks, options);
    const inode = this.fs.allocate(rootCredentials());
    if (typeof inode === "number") throw new Error("no terminal");
    this.inode = inode;
    this.terminal = inode.terminal;
    this.slave = this.open(flags);
  }

  open(flags: number): SlaveFile {
    return new SlaveFile(TEST_ACCOUNT, this.inode, flags, this.terminal, this.host);
  }

  /** Changes the settings. */
  set(change: (settings: TerminalSettings) => void): void {
    const next = new TerminalSettings();
    next.copy(this.terminal.settings);
    change(next);
    this.terminal.setSettings(next);
  }

  /** Writes at the master. */
  type(text: string): number {
    return this.terminal.writeInput(new BufferCursor(stringToBytes(text)));
  }
  /** Reads at the master: text or -errno. */
  screen(max: number = 65536): string | number {
    const cursor = new BufferCursor(new Uint8Array(max));
    const n = this.terminal.readOutput(cursor);
    return n < 0 ? n : bytesToString(cursor.buffer, 0, n);
  }
  /** Reads at a slave: text or -errno. */
  read(max: number = 65536, file: SlaveFile = this.slave): string | number {
    const cursor = new BufferCursor(new Uint8Array(max));
    const n = file.read(cursor, -1);
    return n < 0 ? n : bytesToString(cursor.buffer, 0, n);
  }
  write(text: string, file: SlaveFile = this.slave): number {
    return file.write(new BufferCursor(stringToBytes(text)), -1);
  }
}
