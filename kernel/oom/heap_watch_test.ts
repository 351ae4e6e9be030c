import { assert, assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { HEAP_BASE, heapBytesFor, type KernelHeap, objectBytesIn } from "../core/kernel_heap.ts";
import { Quota } from "../core/quota.ts";
import { MemoryUsers } from "../mm/memory_users.ts";
import { SandboxAccounts } from "../task/accounts.ts";
import { HeapWatch } from "./heap_watch.ts";

/** A kind of its own: what other tests of the process hold does not count. */
const THINGS = new Quota(62, 1 << 20, 1 << 20);
const MIB = 1 << 20, ROOM = 128 * MIB;

class TestHeap implements KernelHeap {
  readonly limitBytes: number = heapBytesFor(ROOM);
  liveBytes: number = 0;
  garbageBytes: number = 0;
  collections: number = 0;
  usedBytes(): number {
    return this.liveBytes + this.garbageBytes;
  }
  collect(): void {
    this.garbageBytes = 0;
    this.collections++;
  }
}

function lab(): { heap: TestHeap; accounts: SandboxAccounts; look: () => boolean } {
  const heap = new TestHeap(), accounts = new SandboxAccounts();
  const watch = new HeapWatch(heap, accounts);
  let nowNs = 0;
  // Each look is a moment later, and a collection takes 100 ms.
  const look = () => watch.isTooFull(nowNs += 2e7, () => nowNs += 1e8);
  return { heap, accounts, look };
}

Deno.test("the heap has room for the objects that it was made for", () => {
  assertEquals(Math.round(objectBytesIn(heapBytesFor(ROOM))), ROOM);
  assertEquals(Math.round(lab().accounts.root.bytesMax), ROOM);
});

Deno.test("a heap that is little used is not collected", () => {
  const { heap, look } = lab();
  heap.liveBytes = HEAP_BASE;
  heap.garbageBytes = 90 * MIB;
  for (let i = 0; i < 100; i++) assert(!look());
  assertEquals(heap.collections, 0);
});

Deno.test("garbage is collected without other effects", () => {
  const { heap, accounts, look } = lab();
  heap.liveBytes = HEAP_BASE;
  heap.garbageBytes = ROOM;
  assert(!look());
  assertEquals([heap.collections, Math.round(accounts.root.bytesMax)], [1, ROOM]);
});

Deno.test("objects that take more than they are charged with leave less room for others", () => {
  const { heap, accounts, look } = lab(), account = new Account(accounts.open().all, 1);
  THINGS.add(70, account);
  heap.liveBytes = HEAP_BASE + 2 * 70 * MIB;
  assert(!look());
  assertEquals(Math.round(accounts.root.bytesMax), ROOM / 2);
  assert(!THINGS.take(1, account));
  THINGS.give(40, account);
  assert(THINGS.take(1, account));
  // They are gone, and the heap is as empty as one thought.
  heap.liveBytes = HEAP_BASE;
  look();
  assertEquals(Math.round(accounts.root.bytesMax), ROOM);
  THINGS.give(31, account);
});

Deno.test("a process has to end before V8 gives up, and only while it is so full", () => {
  const { heap, look } = lab();
  heap.liveBytes = 0.7 * heap.limitBytes;
  assert(!look());
  heap.liveBytes = 0.78 * heap.limitBytes;
  assert(look());
  heap.liveBytes = 0.5 * heap.limitBytes;
  assert(!look());
});

Deno.test("collections of a full heap are seldom, unless it grows", () => {
  const { heap, look } = lab();
  heap.liveBytes = 0.7 * heap.limitBytes;
  for (let i = 0; i < 100; i++) look();
  assertEquals(heap.collections, 1);
  heap.garbageBytes = heap.limitBytes / 8;
  look();
  assertEquals(heap.collections, 2);
  heap.garbageBytes = heap.limitBytes / 100;
  for (let i = 0; i < 300; i++) look();
  assertEquals(heap.collections, 3);
});

Deno.test("kernels that share the heap share its room, and the one with most objects pays", () => {
  const heap = new TestHeap(), users = new MemoryUsers(), now = { ns: 0 };
  const kernels = [70, 20].map((things) => {
    const accounts = new SandboxAccounts(), account = new Account(accounts.open().all, 1);
    const user = {
      frameBytes: 0,
      limitBytes: 0,
      get objectBytes(): number {
        return accounts.root.bytes;
      },
    };
    users.add(user);
    const watch = new HeapWatch(heap, accounts, users, user);
    THINGS.add(things, account);
    const look = () => watch.isTooFull(now.ns += 2e7, () => now.ns += 1e8);
    return { accounts, user, look };
  });
  const [first, second] = kernels;
  heap.liveBytes = HEAP_BASE + 90 * MIB;
  assertEquals(kernels.map(({ look }) => look()), [false, false]);
  const rooms = kernels.map(({ accounts }) => Math.round(accounts.root.bytesMax / MIB));
  assertEquals(rooms, [ROOM / MIB - 20, ROOM / MIB - 70]);
  heap.liveBytes = heap.limitBytes * 0.8;
  assertEquals([second!.look(), first!.look()], [false, true]);
  users.remove(first!.user);
  heap.liveBytes = HEAP_BASE + 20 * MIB;
  assert(!second!.look());
  assertEquals(Math.round(second!.accounts.root.bytesMax), ROOM);
});
