// Messages with descriptors that can never be received are dropped.

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { assertEquals } from "@std/assert";
import { DeferredWork, SLICE_UNITS } from "../core/deferred_work.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { DeviceNumbers } from "../vfs/device_numbers.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { Message } from "./message.ts";
import { NetLab } from "./net_testing.ts";
import { Random } from "../../tests/harness/seeded.ts";
import { AllRights, dropMessages, type RightsInFlight } from "./rights.ts";

const lab = new NetLab();
const fs = new AnonFs(new DeviceNumbers(), "sockfs"), deferred = new DeferredWork();

/** A message of a caller that is charged for these descriptors. */
function carrying(rights: readonly OpenFile[]): Message {
  const message = new Message();
  message.caller = lab;
  message.rights = rights;
  return message;
}

class FakeSocket extends OpenFile {
  override readonly inode = fs.makeInode(0o140777);
  readonly net = { deferred };
  isGone = false;

  constructor(account: Account) {
    super(account, 0);
  }
  protected override release(): void {
    this.isGone = true;
  }
}

Deno.test("two sockets that only wait in each other's queue are dropped", () => {
  const all = new AllRights(deferred);
  const a = new FakeSocket(TEST_ACCOUNT),
    b = new FakeSocket(TEST_ACCOUNT),
    payload = new FakeSocket(TEST_ACCOUNT);
  all.send(carrying([b.hold(), payload]), a);
  all.send(carrying([a.hold()]), b);
  all.collect();
  assertEquals([a.isGone, b.isGone, payload.isGone], [false, false, false]);
  a.drop();
  all.collect();
  assertEquals(a.isGone, false); // b is still open, and a can be received from it
  b.drop();
  all.collect();
  assertEquals([a.isGone, b.isGone, payload.isGone], [true, true, true]);
});

Deno.test("a socket in the queue of a reachable socket stays", () => {
  const all = new AllRights(deferred);
  const open = new FakeSocket(TEST_ACCOUNT),
    carried = new FakeSocket(TEST_ACCOUNT),
    inner = new FakeSocket(TEST_ACCOUNT);
  const first = all.send(carrying([carried]), open);
  all.send(carrying([inner]), carried);
  all.collect();
  assertEquals([carried.isGone, inner.isGone], [false, false]);
  first?.drop();
  all.collect();
  assertEquals(carried.isGone, true);
});

/** The number of closed sockets. */
function countGone(sockets: readonly FakeSocket[]): number {
  return sockets.filter((socket) => socket.isGone).length;
}

Deno.test("a ring of many sockets goes in slices", () => {
  const all = new AllRights(deferred), count = SLICE_UNITS;
  const ring = Array.from({ length: count }, () => new FakeSocket(TEST_ACCOUNT));
  ring.forEach((socket, i) => all.send(carrying([ring[(i + 1) % count]!.hold()]), socket));
  for (const socket of ring) socket.drop();
  for (let i = 0; i < count; i++) all.collect();
  let most = countGone(ring);
  for (let before = most; !deferred.isEmpty; before = countGone(ring)) {
    deferred.step();
    most = Math.max(most, countGone(ring) - before);
  }
  assertEquals([countGone(ring), most <= SLICE_UNITS / 4], [count, true]);
});

/** A socket that drops the messages in its queue when it is closed. */
class Holder extends FakeSocket {
  message: RightsInFlight | null = null;

  protected override release(): void {
    super.release();
    this.message?.drop();
  }
}

Deno.test("a chain of messages longer than a stack goes in slices", () => {
  const all = new AllRights(deferred),
    chain = Array.from({ length: 20_000 }, () => new Holder(TEST_ACCOUNT));
  for (let i = 1; i < chain.length; i++) {
    chain[i - 1]!.message = all.send(carrying([chain[i]!]), chain[i - 1]!);
  }
  chain[0]!.drop();
  assertEquals(countGone(chain) <= 1 + SLICE_UNITS / 4, true);
  while (!deferred.isEmpty) deferred.step();
  assertEquals(countGone(chain), chain.length);
});

Deno.test("a queue of many messages ends in slices", () => {
  const all = new AllRights(deferred), socket = new FakeSocket(TEST_ACCOUNT), count = SLICE_UNITS;
  const files = Array.from({ length: count }, () => new FakeSocket(TEST_ACCOUNT));
  dropMessages([null, ...files.map((file) => all.send(carrying([file]), socket))]);
  assertEquals(countGone(files) < count / 4, true);
  while (!deferred.isEmpty) deferred.step();
  assertEquals(countGone(files), count);
});

/** A socket that drops the messages of its queue at its end, as real ones do. */
class Queued extends FakeSocket {
  readonly messages: (RightsInFlight | null)[] = [];

  protected override release(): void {
    super.release();
    dropMessages(this.messages);
  }
}

Deno.test("in any graph of sockets receivable sockets stay, and the rest is dropped", () => {
  const random = new Random(5);
  for (let round = 0; round < 300; round++) {
    const all = new AllRights(deferred), count = 1 + random.below(8);
    const sockets = Array.from({ length: count }, () => new Queued(TEST_ACCOUNT));
    const edges: [number, number][] = [];
    for (let n = random.below(3 * count); n > 0; n--) {
      const from = random.below(count), to = random.below(count), socket = sockets[from]!;
      edges.push([from, to]);
      socket.messages.push(all.send(carrying([sockets[to]!.hold()]), socket));
    }
    const open = sockets.map(() => random.below(3) === 0), alive = [...open];
    for (let n = 0; n < count; n++) {
      for (const [from, to] of edges) if (alive[from]) alive[to] = true;
    }
    sockets.forEach((socket, i) => open[i] || socket.drop());
    all.collect();
    while (!deferred.isEmpty) deferred.step();
    assertEquals(sockets.map(({ isGone }) => isGone), alive.map((is) => !is), `round ${round}`);
  }
});
