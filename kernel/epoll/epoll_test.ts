/** Tests of epoll_file.ts: level, edge and one-shot items, sets in sets, the end of many items. */
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { assert, assertEquals } from "@std/assert";
import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from "../../ffi/abi/errno.ts";
import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from "../../ffi/abi/epoll.ts";
import { DeferredWork, SLICE_UNITS } from "../core/deferred_work.ts";
import { EPOLL_ITEMS } from "../core/quota.ts";
import { Waiter, WaitQueue } from "../core/wait.ts";
import { DeviceNumbers } from "../vfs/device_numbers.ts";
import type { Inode } from "../vfs/inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { AnonFiles } from "../fs/anonfd/anon_inode.ts";
import { EpollFile } from "./epoll_file.ts";

const anon = new AnonFiles(new DeviceNumbers());

/** A file whose poll bits a test sets. */
class Fake extends OpenFile {
  bits: number = 0;
  readonly queue: WaitQueue = new WaitQueue();
  constructor(account: Account) {
    super(account, 2);
  }
  override get inode(): Inode {
    return anon.others.root;
  }
  override get waitQueue(): WaitQueue | null {
    return this.queue;
  }
  override poll(): number {
    return this.bits;
  }
  set(bits: number): void {
    this.bits = bits;
    this.queue.wake(bits);
  }
}

const deferred = new DeferredWork();

function newSet(): EpollFile {
  return new EpollFile(TEST_ACCOUNT, anon, deferred);
}

class Counter extends Waiter {
  count: number = 0;
  override onWake(): void {
    this.count++;
  }
}

/** The result of one epoll_wait(2): [fd, events] pairs. */
function collect(set: EpollFile, max = 100): [number, number][] {
  const found: [number, number][] = [];
  const end = set.scanEnd;
  while (end !== null && found.length < max) {
    const item = set.shiftReady();
    if (item === null) break;
    const bits = item.readyBits();
    if (bits !== 0) {
      found.push([item.fd, bits]);
      set.reported(item);
    }
    if (item === end) break;
  }
  return found;
}

Deno.test("level-triggered items are reported as long as they are ready", () => {
  const set = newSet(), file = new Fake(TEST_ACCOUNT);
  assertEquals(set.add(file, 3, EPOLLIN, 0, 0), 0);
  assertEquals(collect(set), []);
  file.set(EPOLLIN | EPOLLOUT);
  assertEquals([collect(set), collect(set)], [[[3, EPOLLIN]], [[3, EPOLLIN]]]);
  file.bits = 0;
  assertEquals(collect(set), []);
  file.set(EPOLLHUP);
  assertEquals(collect(set), [[3, EPOLLHUP]], "hang-up and error need not be asked for");
});

Deno.test("edge-triggered items are reported once an event, one-shot ones once", () => {
  const set = newSet(), edge = new Fake(TEST_ACCOUNT), once = new Fake(TEST_ACCOUNT);
  set.add(edge, 3, EPOLLIN | EPOLLET, 0, 0);
  set.add(once, 4, EPOLLIN | EPOLLONESHOT, 0, 0);
  edge.set(EPOLLIN);
  once.set(EPOLLIN);
  assertEquals(collect(set), [[3, EPOLLIN], [4, EPOLLIN]]);
  assertEquals(collect(set), []);
  edge.set(EPOLLIN);
  once.set(EPOLLIN | EPOLLERR);
  assertEquals(collect(set), [[3, EPOLLIN]]);
  assertEquals(set.modify(once, 4, EPOLLIN | EPOLLONESHOT, 0, 0), 0);
  assertEquals(collect(set), [[4, EPOLLIN | EPOLLERR]], "armed again, it is looked at");
});

Deno.test("several ready items take turns", () => {
  const set = newSet(), files = [0, 1, 2, 3, 4].map(() => new Fake(TEST_ACCOUNT));
  files.forEach((file, fd) => set.add(file, fd, EPOLLIN, 0, 0));
  for (const file of files) file.set(EPOLLIN);
  const fds = (n: number) => collect(set, n).map(([fd]) => fd);
  assertEquals([fds(2), fds(2), fds(2)], [[0, 1], [2, 3], [4, 0]]);
});

Deno.test("an item is the pair of file and descriptor, and ends with its file", () => {
  const set = newSet(), file = new Fake(TEST_ACCOUNT);
  assertEquals(set.add(file, 3, EPOLLIN, 0, 0), 0);
  assertEquals([set.add(file, 3, EPOLLIN, 0, 0), set.add(file, 4, EPOLLIN, 0, 0)], [-EEXIST, 0]);
  assertEquals([set.delete(file, 5), set.modify(file, 5, 0, 0, 0)], [-ENOENT, -ENOENT]);
  file.set(EPOLLIN);
  assertEquals(set.delete(file, 3), 0);
  assertEquals(collect(set), [[4, EPOLLIN]]);
  file.drop();
  assertEquals([file.watchers, file.queue.isEmpty, collect(set)], [null, true, []]);
});

Deno.test("a closed set leaves nothing on its files", () => {
  const set = newSet(), file = new Fake(TEST_ACCOUNT);
  set.add(file, 3, EPOLLIN, 0, 0);
  set.add(file, 4, EPOLLIN, 0, 0);
  set.drop();
  assertEquals([file.watchers, file.queue.isEmpty], [null, true]);
});

Deno.test("the paths from a file up to sets are bounded by their length", () => {
  const inner = newSet(), files = [0, 1, 2].map(() => new Fake(TEST_ACCOUNT));
  files.forEach((file, fd) => assertEquals(inner.add(file, fd, EPOLLIN, 0, 0), 0));
  const outer = Array.from({ length: 501 }, newSet);
  const results = outer.map((set) => set.add(inner, 9, EPOLLIN, 0, 0));
  assertEquals([results.lastIndexOf(0), results.at(-1)], [499, -EINVAL]);
  inner.drop();
  const low = Array.from({ length: 10 }, newSet), middle = low.map(newSet);
  const [top, other] = [newSet(), newSet()];
  for (const set of low) files.forEach((file, fd) => set.add(file, fd, EPOLLIN, 0, 0));
  for (const set of middle) low.forEach((one, fd) => set.add(one, fd, EPOLLIN, 0, 0));
  assertEquals(middle.map((set, fd) => top.add(set, fd, EPOLLIN, 0, 0)), middle.map(() => 0));
  assertEquals(other.add(middle[0]!, 0, EPOLLIN, 0, 0), -EINVAL, "110 paths with two between");
  assertEquals(top.delete(middle[1]!, 1), 0);
  assertEquals(other.add(middle[0]!, 0, EPOLLIN, 0, 0), 0);
  assertEquals(low[0]!.add(new Fake(TEST_ACCOUNT), 7, EPOLLIN, 0, 0), 0);
});

Deno.test("too many paths are not counted to the end", () => {
  const inner = newSet(), file = new Fake(TEST_ACCOUNT), items = 1000;
  for (let fd = 0; fd < items; fd++) assertEquals(inner.add(file, fd, EPOLLIN, 0, 0), 0);
  let looks = 0;
  for (let watcher = file.watchers; watcher !== null; watcher = watcher.nextWatcher) {
    const { nextWatcher } = watcher;
    Object.defineProperty(watcher, "nextWatcher", { get: () => (looks++, nextWatcher) });
  }
  looks = 0;
  assertEquals(newSet().add(inner, 0, EPOLLIN, 0, 0), -EINVAL);
  assert(looks < items * 3 / 4, `${looks} looks`);
});

Deno.test("sets may watch sets: ready through the chain, but no loops and no deep chains", () => {
  const sets = [0, 1, 2, 3, 4, 5].map(() => newSet()), file = new Fake(TEST_ACCOUNT);
  assertEquals(sets[0]!.add(sets[0]!, 9, EPOLLIN, 0, 0), -EINVAL);
  for (let i = 0; i < 4; i++) assertEquals(sets[i]!.add(sets[i + 1]!, i, EPOLLIN, 0, 0), 0);
  assertEquals(sets[4]!.add(sets[5]!, 4, EPOLLIN, 0, 0), -ELOOP, "six in a row");
  assertEquals(sets[3]!.add(sets[1]!, 8, EPOLLIN, 0, 0), -ELOOP);
  assertEquals(sets[4]!.add(file, 7, EPOLLIN, 0, 0), 0);
  const waiter = new Counter();
  sets[0]!.waitQueue.add(waiter, 0);
  file.set(EPOLLIN);
  assertEquals([waiter.count, collect(sets[0]!)], [1, [[0, EPOLLIN]]]);
  file.bits = 0;
  assertEquals(collect(sets[0]!), []);
});

Deno.test("one exclusive watcher is woken; one without a waiter passes the wake-up on", () => {
  const a = newSet(), b = newSet(), plain = newSet(), file = new Fake(TEST_ACCOUNT);
  const waiters = [a, b, plain].map((set) => {
    const waiter = new Counter();
    set.waitQueue.add(waiter, 0);
    return waiter;
  });
  const counts = () => waiters.map((w) => w.count);
  a.add(file, 3, EPOLLIN | EPOLLEXCLUSIVE, 0, 0);
  b.add(file, 3, EPOLLIN | EPOLLEXCLUSIVE, 0, 0);
  plain.add(file, 3, EPOLLIN, 0, 0);
  file.set(EPOLLIN);
  assertEquals(counts(), [1, 0, 1]);
  waiters[0]!.unlink();
  file.set(EPOLLIN);
  assertEquals(counts(), [1, 1, 2]);
  assertEquals(a.modify(file, 3, EPOLLIN, 0, 0), -EINVAL);
  assertEquals(a.add(new Fake(TEST_ACCOUNT), 4, EPOLLEXCLUSIVE | EPOLLONESHOT, 0, 0), -EINVAL);
  assertEquals(a.add(b, 4, EPOLLIN | EPOLLEXCLUSIVE, 0, 0), -EINVAL);
});

Deno.test("a file without poll cannot be watched", () => {
  class Plain extends Fake {
    override get waitQueue(): WaitQueue | null {
      return null;
    }
  }
  const set = newSet();
  assertEquals([
    set.add(new Plain(TEST_ACCOUNT), 3, EPOLLIN, 0, 0),
    set.delete(new Plain(TEST_ACCOUNT), 3),
  ], [
    -EPERM,
    -EPERM,
  ]);
});

Deno.test("many descriptors of one file come and go in any order", () => {
  const set = newSet(), other = newSet(), file = new Fake(TEST_ACCOUNT);
  const count = 200, fdAt = (i: number) => 1 + (i * 77) % count;
  file.bits = EPOLLIN;
  for (let i = 0; i < count; i++) assertEquals(set.add(file, fdAt(i), EPOLLIN, 0, 0), 0);
  assertEquals(other.add(file, 1, EPOLLIN, 0, 0), 0);
  assertEquals(set.add(file, fdAt(7), EPOLLIN, 0, 0), -EEXIST);
  for (let i = 0; i < count; i += 2) {
    const fd = fdAt(i * 3 % count);
    assertEquals([set.delete(file, fd), set.delete(file, fd)], [0, -ENOENT]);
  }
  assertEquals(collect(set, count).length, count / 2);
  for (let i = 0; i < count; i += 2) {
    assertEquals(set.add(file, fdAt(i * 3 % count), EPOLLIN, 0, 0), 0);
  }
  assertEquals(collect(set, count).length, count);
  set.drop();
  assertEquals(collect(other), [[1, EPOLLIN]]);
  file.drop();
  assertEquals([file.watchers, file.queue.isEmpty, collect(other)], [null, true, []]);
});

Deno.test("a set of many items ends in slices, also those of one file", () => {
  const before = EPOLL_ITEMS.countOf(TEST_ACCOUNT), set = newSet(), shared = new Fake(TEST_ACCOUNT);
  const files = Array.from({ length: SLICE_UNITS }, () => new Fake(TEST_ACCOUNT));
  for (let fd = 0; fd < 2 * SLICE_UNITS; fd++) set.add(shared, fd, EPOLLIN, 0, 0);
  files.forEach((file, fd) => set.add(file, fd, EPOLLIN, 0, 0));
  set.drop();
  assertEquals(EPOLL_ITEMS.countOf(TEST_ACCOUNT) - before, 2 * SLICE_UNITS);
  // The items of a file that is closed meanwhile are removed with it.
  files[7]!.set(EPOLLIN);
  files[7]!.drop();
  let slices = 0;
  for (; !deferred.isEmpty; slices++) deferred.step();
  assertEquals([EPOLL_ITEMS.countOf(TEST_ACCOUNT) - before, slices >= 2, slices <= 3], [
    0,
    true,
    true,
  ]);
  shared.drop();
});

Deno.test("a closed file with many items ends them in slices, and is not reported", () => {
  const before = EPOLL_ITEMS.countOf(TEST_ACCOUNT),
    set = newSet(),
    file = new Fake(TEST_ACCOUNT),
    count = 3 * SLICE_UNITS;
  file.bits = EPOLLIN;
  for (let fd = 0; fd < count; fd++) set.add(file, fd, EPOLLIN, 0, 0);
  file.drop();
  assertEquals(EPOLL_ITEMS.countOf(TEST_ACCOUNT) - before, count - SLICE_UNITS);
  assertEquals([set.poll(), collect(set)], [0, []]);
  while (!deferred.isEmpty) deferred.step();
  assertEquals(EPOLL_ITEMS.countOf(TEST_ACCOUNT), before);
  set.drop();
});
