/** Tests of fd_table.ts: allocation of fds, dup, close-on-exec, limits and closing in slices. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import { F_WRLCK, O_PATH, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { OPEN_FILES } from "../core/quota.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { CLOSES_A_TURN, FdTable, NR_OPEN } from "./fd_table.ts";
import { FileLock, FileLocks, LockAges } from "./file_locks.ts";
import type { Inode } from "./inode.ts";
import { OpenFile } from "./open_file.ts";
import { DeviceNumbers } from "./device_numbers.ts";
import { errno } from "./vfs_testing.ts";

const fs = new AnonFs(new DeviceNumbers(), "anon_inodefs");

class TestFile extends OpenFile {
  readonly inode: Inode = fs.makeInode(0o600);
  released: number = 0;
  closed: object[] = [];
  closeResult: number = 0;

  constructor(account: Account, flags = O_RDWR) {
    super(account, flags);
  }
  override onFdClose(owner: object): number {
    this.closed.push(owner);
    return this.closeResult;
  }
  protected override release(): void {
    this.released++;
  }
}

const LIMIT = 1024;

Deno.test("the lowest free fd is given, from a minimum on", () => {
  const t = new FdTable(TEST_ACCOUNT);
  for (let i = 0; i < 200; i++) {
    assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), i);
  }
  for (const fd of [150, 3, 64, 63]) assertEquals(t.close(fd), 0);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), 3);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT, 64), 64);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), 63);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), 150);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), 200);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT, 500), 500);
  assertEquals(t.count, 202);
});

Deno.test("files above a limit that was lowered leave room below it", () => {
  const t = new FdTable(TEST_ACCOUNT);
  for (let i = 0; i < 40; i++) t.install(new TestFile(TEST_ACCOUNT), false, LIMIT);
  assertEquals(t.hasRoom(20), false);
  t.close(3);
  assertEquals(t.hasRoom(20), true);
  assertEquals(t.hasRoom(3), false);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, 20), 3);
  assertEquals(t.hasRoom(20), false);
});

Deno.test("random opening and closing agrees with a simple model", () => {
  const t = new FdTable(TEST_ACCOUNT), model = new Set<number>();
  let seed = 12345;
  const next = (n: number) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  for (let i = 0; i < 5000; i++) {
    if (next(3) > 0) {
      const from = next(4) === 0 ? next(120) : 0;
      let expected = from;
      while (model.has(expected)) expected++;
      assertEquals(t.install(new TestFile(TEST_ACCOUNT), next(2) === 0, LIMIT, from), expected);
      model.add(expected);
    } else {
      const fd = next(130);
      assertEquals(errno(t.close(fd)), model.has(fd) ? 0 : "EBADF");
      model.delete(fd);
    }
    if (model.size > 100) {
      for (const fd of [...model]) if (next(2) === 0) model.delete(fd) && t.close(fd);
    }
  }
  assertEquals(t.openFds(), [...model].sort((a, b) => a - b));
});

Deno.test("bad fds are EBADF, never an exception", () => {
  const t = new FdTable(TEST_ACCOUNT);
  t.install(new TestFile(TEST_ACCOUNT), false, LIMIT);
  for (const fd of [-1, 1, 2 ** 31 - 1, -(2 ** 31)]) {
    assertEquals(t.get(fd), null);
    assertEquals(errno(t.close(fd)), "EBADF");
    assertEquals(errno(t.dup(fd, false, LIMIT)), "EBADF");
    assertEquals(errno(t.dupTo(fd, 5, false, LIMIT)), "EBADF");
    assertEquals(errno(t.dupTo(0, fd < 0 ? fd : LIMIT, false, LIMIT)), "EBADF");
  }
});

Deno.test("RLIMIT_NOFILE: EMFILE at the limit, EINVAL for a minimum beyond it", () => {
  const t = new FdTable(TEST_ACCOUNT);
  for (let i = 0; i < 4; i++) t.install(new TestFile(TEST_ACCOUNT), false, 4);
  const extra = new TestFile(TEST_ACCOUNT);
  assertEquals(errno(t.install(extra, false, 4)), "EMFILE");
  assertEquals(extra.refs, 1);
  assertEquals(errno(t.dup(0, false, 4)), "EMFILE");
  assertEquals(errno(t.dup(0, false, 4, 4)), "EINVAL");
  assertEquals(errno(t.dup(0, false, 4, -1)), "EINVAL");
  assertEquals(errno(t.dup(0, false, 0)), "EMFILE");
  assertEquals(t.get(0)!.refs, 1);
  assertEquals(t.dup(0, false, NR_OPEN, 100000), 100000);
  assertEquals(t.close(100000), 0);
});

Deno.test("dup shares the description; dup2 closes the previous file", () => {
  const t = new FdTable(TEST_ACCOUNT),
    a = new TestFile(TEST_ACCOUNT),
    b = new TestFile(TEST_ACCOUNT);
  t.install(a, true, LIMIT);
  t.install(b, true, LIMIT);
  assertEquals(t.dup(0, false, LIMIT), 2);
  assertEquals([t.isCloexec(0), t.isCloexec(2)], [true, false]);
  assertEquals(t.dupTo(0, 1, false, LIMIT), 1);
  assertEquals(b.released, 1);
  assertEquals(t.isCloexec(1), false);
  assertEquals(t.dupTo(0, 0, false, LIMIT), 0);
  assertEquals(a.refs, 3);
  for (const fd of [0, 1]) t.close(fd);
  assertEquals(a.released, 0);
  t.close(2);
  assertEquals(a.released, 1);
  assertEquals(a.closed.length, 3);
});

Deno.test("close-on-exec: execve closes marked fds, and a reused fd starts unmarked", () => {
  const t = new FdTable(TEST_ACCOUNT);
  for (let i = 0; i < 70; i++) t.install(new TestFile(TEST_ACCOUNT), i % 2 === 0, LIMIT);
  t.setCloexec(1, true);
  t.setCloexec(2, false);
  t.closeOnExec();
  const expected = [2];
  for (let i = 3; i < 70; i += 2) expected.push(i);
  assertEquals(t.openFds(), expected);
  t.install(new TestFile(TEST_ACCOUNT), false, LIMIT);
  assertEquals(t.isCloexec(0), false);
});

Deno.test("a full table is closed in pieces: by close_range, execve and at the end", () => {
  const t = new FdTable(TEST_ACCOUNT),
    count = 2 * CLOSES_A_TURN + 10,
    file = new TestFile(TEST_ACCOUNT);
  const fill = () => {
    for (let fd = 0; fd < count; fd++) {
      if (t.getAny(fd) !== null) continue;
      t.install(file.hold(), true, count);
    }
  };
  fill();
  assertEquals(t.closeRange(5, NR_OPEN, false, 100), 105);
  assertEquals(t.count, count - 100);
  fill();
  t.setCloexec(0, false);
  const left: number[] = [];
  do {
    t.closeOnExec();
    left.push(t.count);
  } while (t.closesFrom >= 0);
  assertEquals(left, [count - CLOSES_A_TURN, count - 2 * CLOSES_A_TURN, 1]);
  fill();
  left.length = 0;
  do {
    t.closeBeforeDrop();
    left.push(t.count);
  } while (t.closesFrom >= 0);
  assertEquals(left, [count - CLOSES_A_TURN, count - 2 * CLOSES_A_TURN, 0]);
  t.drop();
});

Deno.test("a copy has the same files; the last drop of a shared table closes them", () => {
  const t = new FdTable(TEST_ACCOUNT), file = new TestFile(TEST_ACCOUNT);
  t.install(file, true, LIMIT);
  const copy = t.copy(TEST_ACCOUNT);
  assertNotStrictEquals(copy, t);
  assertStrictEquals(copy.get(0), file);
  assertEquals([file.refs, copy.isCloexec(0)], [2, true]);
  t.hold();
  t.drop();
  assertEquals(file.refs, 2);
  t.drop();
  copy.drop();
  assertEquals(file.released, 1);
});

Deno.test("close_range closes or marks, with bounds beyond the table", () => {
  const t = new FdTable(TEST_ACCOUNT);
  for (let i = 0; i < 10; i++) t.install(new TestFile(TEST_ACCOUNT), false, LIMIT);
  assertEquals(t.closeRange(3, 5, true, 3), -1);
  assertEquals([2, 3, 5, 6].map((fd) => t.isCloexec(fd)), [false, true, true, false]);
  assertEquals(t.closeRange(8, 0xffffffff, false, 100), -1);
  assertEquals(t.openFds(), [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals(t.closeRange(0, 2, false, 100), -1);
  assertEquals(t.install(new TestFile(TEST_ACCOUNT), false, LIMIT), 0);
});

Deno.test("an O_PATH file is no file for I/O", () => {
  const t = new FdTable(TEST_ACCOUNT);
  t.install(new TestFile(TEST_ACCOUNT, O_PATH), false, LIMIT);
  assertEquals(t.get(0), null);
  assertEquals(t.getAny(0)!.canRead, false);
});

Deno.test("closing any fd drops the table's POSIX locks; after an error the fd is gone", () => {
  const t = new FdTable(TEST_ACCOUNT), file = new TestFile(TEST_ACCOUNT);
  const locks = file.inode.locks = new FileLocks(file.inode, new Set());
  t.install(file, false, LIMIT);
  t.dup(0, false, LIMIT);
  const by = {
    kind: "POSIX",
    owner: t,
    pid: 7,
    account: TEST_ACCOUNT,
    ages: new LockAges(),
  } as const;
  locks.setRecord(new FileLock(by, F_WRLCK, 0, Infinity));
  file.closeResult = -5;
  assertEquals(errno(t.close(1)), "EIO");
  assertEquals(locks.recordLocks.length, 0);
  assertEquals(t.getAny(1), null);
  file.inode.locks = null;
});

Deno.test("all tables together are bounded: no growth and no copy beyond", () => {
  const first = new FdTable(TEST_ACCOUNT), limit = NR_OPEN, tables = [first];
  first.install(new TestFile(TEST_ACCOUNT), false, limit);
  assertEquals(first.dupTo(0, NR_OPEN - 1, false, limit), NR_OPEN - 1);
  while (first.mayCopy(TEST_ACCOUNT)) tables.push(first.copy(TEST_ACCOUNT));
  // The tables of other tests are counted too.
  assertEquals(tables.length > 16 && tables.length <= 32, true);
  const small = new FdTable(TEST_ACCOUNT);
  small.install(new TestFile(TEST_ACCOUNT), false, limit);
  assertEquals([small.mayCopy(TEST_ACCOUNT), small.dupTo(0, 1000, false, limit)], [true, 1000]);
  assertEquals(errno(small.dupTo(0, NR_OPEN - 1, false, limit)), "ENFILE");
  assertEquals(errno(small.dup(0, false, limit, NR_OPEN - 1)), "ENFILE");
  for (const table of tables) table.drop();
  assertEquals(small.dupTo(0, 5000, false, limit), 5000);
  small.drop();
});

Deno.test("all open files together are bounded", () => {
  const count = () => OPEN_FILES.countOf(TEST_ACCOUNT), before = count();
  const table = new FdTable(TEST_ACCOUNT), refused = new TestFile(TEST_ACCOUNT);
  assertEquals(table.install(new TestFile(TEST_ACCOUNT), false, 10), 0);
  assertEquals(count(), before + 2);
  OPEN_FILES.add(OPEN_FILES.limit, TEST_ACCOUNT);
  assertEquals(errno(table.install(refused, false, 10)), "ENFILE");
  OPEN_FILES.give(OPEN_FILES.limit, TEST_ACCOUNT);
  table.drop();
  refused.drop();
  assertEquals(count(), before);
});
