/**
 * A seeded random exerciser for tests of file systems: it makes random calls on a small set of
 * names through several drivers (file_driver_testing.ts), which must all answer the same. A failure
 * shows the seed and the calls before the difference.
 */

import { AssertionError } from "@std/assert";
import {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../ffi/abi/fcntl.ts";
import type { Answer, FileDriver } from "./file_driver_testing.ts";

/** The generator mulberry32. */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed >>> 0;
  }
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(n: number): number {
    return this.next() % n;
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const NAMES = ["a", "b", "c", "d", "e"];
const XATTRS = ["user.x", "user.y", "trusted.t", "security.s", "user.", "bogus.x", ""];

const ACLS = ["system.posix_acl_access", "system.posix_acl_default"];

export interface ExerciserOptions {
  seed: number;
  calls: number;
  /** Make calls as users 0, 1000 and 1001 in turn. */
  users: boolean;
  /** Flags of renameat2(2) that all drivers implement. */
  renameFlags: readonly number[];
  /** Modes of fallocate(2) that all drivers implement. */
  fallocateModes: readonly number[];
  /** Set and read POSIX ACLs too. */
  acls?: boolean;
  /** Device numbers for mknod(2). */
  devices?: readonly number[];
}

type Call = readonly [name: string, ...args: (string | number)[]];

export class Exerciser {
  private readonly random: Random;
  private readonly options: ExerciserOptions;
  private readonly drivers: readonly FileDriver[];
  private readonly xattrs: readonly string[];
  private readonly log: string[] = [];
  /** The open files, each as its handle in every driver. */
  private readonly open: number[][] = [];
  private readonly counts: Map<string, number> = new Map();

  constructor(drivers: readonly FileDriver[], options: ExerciserOptions) {
    this.drivers = drivers;
    this.options = options;
    this.xattrs = options.acls === true ? [...XATTRS, ...ACLS] : XATTRS;
    this.random = new Random(options.seed);
  }

  run(): void {
    for (let i = 0; i < this.options.calls; i++) {
      this.step();
      if (i % 100 === 99) this.compareTrees(".", 0);
    }
    this.asUser(0);
    while (this.open.length > 0) this.closeHandle(0);
    this.compareTrees(".", 0);
  }

  /** How often each call succeeded, so that a test can check that the run did something. */
  get successes(): ReadonlyMap<string, number> {
    return this.counts;
  }

  private path(): string {
    const r = this.random;
    let path = "";
    for (let depth = r.pick([1, 1, 1, 2, 2, 3]); depth > 0; depth--) {
      path += (path === "" ? "" : r.chance(4) ? "//" : "/") + r.pick(NAMES);
      if (r.chance(2)) path += "/.";
    }
    if (r.chance(3)) path += "/..";
    if (r.chance(5)) path += "/";
    if (r.chance(2)) path = "../" + path;
    if (r.chance(1)) path = r.pick([".", "..", "", "./", "a/..", "x".repeat(256)]);
    return path;
  }

  private step(): void {
    const r = this.random;
    if (this.options.users && r.chance(10)) this.asUser(r.pick([0, 1000, 1001]));
    const kind = r.below(100);
    if (kind < 30) this.exerciseCreation();
    else if (kind < 45) this.exerciseRemoval();
    else if (kind < 60) this.exerciseLookup();
    else if (kind < 75) this.exerciseChange();
    else if (kind < 80) this.exerciseOpen();
    else this.exerciseHandle();
  }

  private asUser(uid: number): void {
    this.log.push(`setUser(${uid})`);
    for (const d of this.drivers) d.setUser(uid);
  }

  private exerciseCreation(): void {
    const r = this.random, mode = r.pick([0o755, 0o777, 0o644, 0o600, 0o1777, 0o2775, 0o4755, 0]);
    switch (r.below(8)) {
      case 0:
      case 1:
        return this.compare(["mkdir", this.path(), mode]);
      case 2:
        return this.compare([
          "symlink",
          r.pick(["a", "b", "c/d", "a/b/c", "nowhere", "./b/"]),
          this.path(),
        ]);
      case 3:
        return this.compare(["link", this.path(), this.path(), r.pick([0, 0, 0x400])]);
      case 4:
        return this.compare([
          "mknod",
          this.path(),
          r.pick([0o10644, 0o100644, 0o20644, 0o140600, 0o40755, 0o1]),
          r.pick(this.options.devices ?? [0, 0x103]),
        ]);
      default:
        return this.exerciseOpen();
    }
  }

  private exerciseRemoval(): void {
    const r = this.random;
    if (r.chance(40)) {
      this.compare(["rename", this.path(), this.path(), r.pick(this.options.renameFlags)]);
    } else this.compare([r.chance(50) ? "unlink" : "rmdir", this.path()]);
  }

  private exerciseLookup(): void {
    const r = this.random, p = this.path();
    switch (r.below(6)) {
      case 0:
        return this.compare(["stat", p, 0]);
      case 1:
        return this.compare(["stat", p, 0x100]);
      case 2:
        return this.compare(["readlink", p]);
      case 3:
        return this.compare(["list", p]);
      case 4:
        return this.compare(["access", p, r.below(9)]);
      default:
        return r.chance(50)
          ? this.compare(["getxattr", p, r.pick(this.xattrs)])
          : this.compare(["listxattr", p]);
    }
  }

  private exerciseChange(): void {
    const r = this.random, p = this.path();
    switch (r.below(7)) {
      case 0:
        return this.compare(["chmod", p, r.pick([0o755, 0o700, 0o777, 0o000, 0o6755, 0o3777])]);
      case 1: {
        const ids = [0, 1000, 1001, 0xffffffff];
        return this.compare(["chown", p, r.pick(ids), r.pick(ids), r.pick([0, 0x100])]);
      }
      case 2:
        return this.compare(["truncate", p, r.pick([0, 1, 4095, 4096, 5000, 20000, -1])]);
      case 3:
        return this.compare(["touch", p, r.pick([0, 0x100])]);
      case 4:
        return this.compare([
          "setxattr",
          p,
          r.pick(this.xattrs),
          "v".repeat(r.below(9)),
          r.pick([0, 0, 1, 2, 4]),
        ]);
      case 5:
        if (this.options.acls !== true) return;
        return this.compare(["setxattr", p, r.pick(ACLS), randomAcl(r), r.pick([0, 0, 0, 1, 2])]);
      default:
        return this.compare(["removexattr", p, r.pick(this.xattrs)]);
    }
  }

  private exerciseOpen(): void {
    const r = this.random;
    let flags = r.pick([0, O_WRONLY, O_RDWR, O_RDWR]);
    if (r.chance(60)) flags |= O_CREAT;
    if (r.chance(15)) flags |= O_EXCL;
    if (r.chance(15)) flags |= O_TRUNC;
    if (r.chance(10)) flags |= O_APPEND;
    if (r.chance(5)) flags |= O_DIRECTORY;
    if (r.chance(10)) flags |= O_NOFOLLOW;
    const path = this.path();
    // No opener is registered for special files, so only their stat is compared.
    if (this.isSpecial(path)) return;
    const call: Call = ["open", path, flags, r.pick([0o644, 0o666, 0o600, 0o755])];
    const answers = this.call(call);
    const handles = answers.filter((a): a is number => typeof a === "number");
    if (handles.length === answers.length) {
      this.count("open");
      this.open.push(handles);
      if (this.open.length > 6) this.closeHandle(0);
    } else {
      this.check(call, answers.map((a) => typeof a === "number" ? "opened" : a));
    }
  }

  private isSpecial(path: string): boolean {
    const text = `${this.drivers[0]!.stat(path, 0)}`;
    return /^(1|2|6|14)\d{4} /.test(text);
  }

  private exerciseHandle(): void {
    const r = this.random;
    if (this.open.length === 0) return;
    const i = r.below(this.open.length);
    const offset = r.pick([0, 1, 100, 4000, 4096, 8191, 12288, 2097151, r.below(20000)]);
    switch (r.below(8)) {
      case 0:
        return this.closeHandle(i);
      case 1:
      case 2:
        return this.compareHandle("pwrite", i, [offset, text(r, r.pick([0, 1, 50, 4096, 9000]))]);
      case 3:
        return this.compareHandle("ftruncate", i, [offset]);
      case 4:
        return this.compareHandle("fstat", i, []);
      case 5: {
        const mode = r.pick(this.options.fallocateModes);
        return this.compareHandle("fallocate", i, [mode, offset, r.pick([1, 4096, 10000, 0])]);
      }
      default:
        return this.compareHandle("pread", i, [offset, r.pick([0, 1, 5000, 30000])]);
    }
  }

  private closeHandle(i: number): void {
    this.compareHandle("close", i, []);
    this.open.splice(i, 1);
  }

  private compareHandle(name: string, i: number, args: (string | number)[]): void {
    const handles = this.open[i]!;
    const call: Call = [name, `#${i}`, ...args];
    const answers = this.drivers.map((d, k) => invoke(d, [name, handles[k]!, ...args]));
    this.note(call, answers);
    this.check(call, answers);
    this.count(name);
  }

  private compare(call: Call): void {
    const answers = this.call(call);
    this.check(call, answers);
    if (typeof answers[0] === "number" || !/^E[A-Z0-9]+$/.test(answers[0]!)) this.count(call[0]);
  }

  private call(call: Call): Answer[] {
    const answers = this.drivers.map((d) => invoke(d, call));
    this.note(call, answers);
    return answers;
  }

  private count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  private note(call: Call, answers: Answer[]): void {
    const args = call.slice(1).map((a) =>
      typeof a === "string" && a.length > 40 ? `${a.length} bytes` : a
    );
    this.log.push(`${call[0]}(${args.join(", ")}) = ${answers[0]}`);
  }

  private check(call: Call, answers: readonly Answer[]): void {
    if (answers.every((a) => a === answers[0])) return;
    const got = this.drivers.map((d, i) => `  ${d.name}: ${answers[i]}`).join("\n");
    const shown = call.map((a) => typeof a === "string" && a.length > 40 ? `${a.length} bytes` : a);
    const before = this.log.slice(-40).join("\n    ");
    throw new AssertionError(
      `seed ${this.options.seed}, call ${this.log.length}: ${
        shown.join(" ")
      }\n${got}\n  after\n    ${before}`,
    );
  }

  /** Compares everything that root can see, directory by directory. */
  private compareTrees(dir: string, depth: number): void {
    for (const d of this.drivers) d.setUser(0);
    const listing = this.drivers.map((d) => d.list(dir));
    this.check(["list", dir], listing);
    for (const item of `${listing[0]}`.split(" ")) {
      const name = item.slice(0, item.indexOf(":")), type = item.slice(item.indexOf(":") + 1);
      if (name === "." || name === ".." || name === "") continue;
      const path = `${dir}/${name}`;
      this.check(["stat", path], this.drivers.map((d) => d.stat(path, 0x100)));
      if (type === "4" && depth < 40) this.compareTrees(path, depth + 1);
      else if (type === "8") this.compareContents(path);
    }
    if (depth === 0) this.asUser(0);
  }

  private compareContents(path: string): void {
    const contents = this.drivers.map((d) => {
      const h = d.open(path, 0, 0);
      if (typeof h !== "number") return h;
      const answer = d.pread(h, 0, 60000);
      d.close(h);
      return answer;
    });
    this.check(["contents", path], contents);
  }
}

function text(r: Random, len: number): string {
  const start = r.below(26);
  let s = "";
  for (let i = 0; i < len; i++) s += String.fromCharCode(97 + (start + i) % 26);
  return s;
}

/** An ACL as the value of its xattr, valid in most cases. */
function randomAcl(r: Random): string {
  if (r.chance(5)) return r.pick(["", "\x02\0\0", "\x02\0\0\0", "\x01\0\0\0"]);
  let text = "\x02\0\0\0";
  const entry = (tag: number, id: number) => {
    const perm = r.below(8);
    text += String.fromCharCode(
      tag,
      0,
      perm,
      0,
      id & 255,
      (id >> 8) & 255,
      (id >> 16) & 255,
      id >>> 24,
    );
  };
  const named = r.chance(70), none = 0xffffffff;
  entry(1, none);
  if (named && r.chance(70)) entry(2, 1000);
  if (named && r.chance(30)) entry(2, 1001);
  entry(4, none);
  if (named && r.chance(50)) entry(8, 1001);
  if (named || r.chance(10)) entry(0x10, none);
  if (!r.chance(3)) entry(0x20, none);
  return text;
}

/** Makes a call by its name, with the arguments that `Exerciser` chose. */
function invoke(d: FileDriver, call: readonly (string | number)[]): Answer {
  const s = (i: number): string => `${call[i]}`, n = (i: number): number => Number(call[i]);
  switch (call[0]) {
    case "mkdir":
      return d.mkdir(s(1), n(2));
    case "rmdir":
      return d.rmdir(s(1));
    case "unlink":
      return d.unlink(s(1));
    case "mknod":
      return d.mknod(s(1), n(2), n(3));
    case "symlink":
      return d.symlink(s(1), s(2));
    case "link":
      return d.link(s(1), s(2), n(3));
    case "rename":
      return d.rename(s(1), s(2), n(3));
    case "chmod":
      return d.chmod(s(1), n(2));
    case "chown":
      return d.chown(s(1), n(2), n(3), n(4));
    case "truncate":
      return d.truncate(s(1), n(2));
    case "access":
      return d.access(s(1), n(2));
    case "touch":
      return d.touch(s(1), n(2));
    case "stat":
      return d.stat(s(1), n(2));
    case "readlink":
      return d.readlink(s(1));
    case "list":
      return d.list(s(1));
    case "getxattr":
      return d.getxattr(s(1), s(2));
    case "setxattr":
      return d.setxattr(s(1), s(2), s(3), n(4));
    case "removexattr":
      return d.removexattr(s(1), s(2));
    case "listxattr":
      return d.listxattr(s(1));
    case "open":
      return d.open(s(1), n(2), n(3));
    case "close":
      return d.close(n(1));
    case "pread":
      return d.pread(n(1), n(2), n(3));
    case "pwrite":
      return d.pwrite(n(1), n(2), s(3));
    case "ftruncate":
      return d.ftruncate(n(1), n(2));
    case "fallocate":
      return d.fallocate(n(1), n(2), n(3), n(4));
    case "fstat":
      return d.fstat(n(1));
    default:
      throw new Error(`no call ${call[0]}`);
  }
}
