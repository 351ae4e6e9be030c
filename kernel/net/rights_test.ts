// Messages with descriptors that nobody can receive any more are dropped.

import { assertEquals } from "@std/assert";
import { DeferredWork, SLICE_UNITS } from "../core/deferred_work.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { AllRights, type RightsInFlight } from "./rights.ts";

const fs = new AnonFs("sockfs"), deferred = new DeferredWork();

class FakeSocket extends OpenFile {
  override readonly inode = fs.make(0o140777);
  readonly net = { deferred };
  isGone = false;

  constructor() {
    super(0);
  }
  protected override release(): void {
    this.isGone = true;
  }
}

Deno.test("two sockets that only wait in each other's queue go", () => {
  const all = new AllRights(deferred);
  const a = new FakeSocket(), b = new FakeSocket(), payload = new FakeSocket();
  all.send([b.hold(), payload], a);
  all.send([a.hold()], b);
  all.collect();
  assertEquals([a.isGone, b.isGone, payload.isGone], [false, false, false]);
  a.drop();
  all.collect();
  assertEquals(a.isGone, false); // b is still open, and a can be received from it
  b.drop();
  all.collect();
  assertEquals([a.isGone, b.isGone, payload.isGone], [true, true, true]);
});

Deno.test("what a reachable socket is going to receive stays", () => {
  const all = new AllRights(deferred);
  const open = new FakeSocket(), carried = new FakeSocket(), inner = new FakeSocket();
  const first = all.send([carried], open);
  all.send([inner], carried);
  all.collect();
  assertEquals([carried.isGone, inner.isGone], [false, false]);
  first?.drop();
  all.collect();
  assertEquals(carried.isGone, true);
});

/** So many of the sockets are gone. */
function countGone(sockets: readonly FakeSocket[]): number {
  return sockets.filter((socket) => socket.isGone).length;
}

Deno.test("a ring of many sockets goes in slices", () => {
  const all = new AllRights(deferred), count = SLICE_UNITS;
  const ring = Array.from({ length: count }, () => new FakeSocket());
  ring.forEach((socket, i) => all.send([ring[(i + 1) % count]!.hold()], socket));
  for (const socket of ring) socket.drop();
  for (let i = 0; i < count; i++) all.collect();
  let most = countGone(ring);
  for (let before = most; !deferred.isEmpty; before = countGone(ring)) {
    deferred.step();
    most = Math.max(most, countGone(ring) - before);
  }
  assertEquals([countGone(ring), most <= SLICE_UNITS / 4], [count, true]);
});

/** A socket that is gone takes the messages in its queue along. */
class Holder extends FakeSocket {
  message: RightsInFlight | null = null;

  protected override release(): void {
    super.release();
    this.message?.drop();
  }
}

Deno.test("a chain of messages longer than a stack goes in slices", () => {
  const all = new AllRights(deferred), chain = Array.from({ length: 20_000 }, () => new Holder());
  for (let i = 1; i < chain.length; i++) {
    chain[i - 1]!.message = all.send([chain[i]!], chain[i - 1]!);
  }
  chain[0]!.drop();
  assertEquals(countGone(chain) <= 1 + SLICE_UNITS / 4, true);
  while (!deferred.isEmpty) deferred.step();
  assertEquals(countGone(chain), chain.length);
});
