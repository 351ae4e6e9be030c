// Messages with descriptors that nobody can receive any more are dropped.

import { assertEquals } from "@std/assert";
import { DeferredWork, SLICE_UNITS } from "../core/deferred_work.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { collectRights, RightsInFlight } from "./rights.ts";

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
  const a = new FakeSocket(), b = new FakeSocket(), payload = new FakeSocket();
  new RightsInFlight([b.hold(), payload], a);
  new RightsInFlight([a.hold()], b);
  collectRights(deferred);
  assertEquals([a.isGone, b.isGone, payload.isGone], [false, false, false]);
  a.drop();
  collectRights(deferred);
  assertEquals(a.isGone, false); // b is still open, and a can be received from it
  b.drop();
  collectRights(deferred);
  assertEquals([a.isGone, b.isGone, payload.isGone], [true, true, true]);
});

Deno.test("what a reachable socket is going to receive stays", () => {
  const open = new FakeSocket(), carried = new FakeSocket(), inner = new FakeSocket();
  const first = new RightsInFlight([carried], open);
  new RightsInFlight([inner], carried);
  collectRights(deferred);
  assertEquals([carried.isGone, inner.isGone], [false, false]);
  first.drop();
  collectRights(deferred);
  assertEquals(carried.isGone, true);
});

/** So many of the sockets are gone. */
function countGone(sockets: readonly FakeSocket[]): number {
  return sockets.filter((socket) => socket.isGone).length;
}

Deno.test("a ring of many sockets goes in slices", () => {
  const count = SLICE_UNITS, ring = Array.from({ length: count }, () => new FakeSocket());
  ring.forEach((socket, i) => new RightsInFlight([ring[(i + 1) % count]!.hold()], socket));
  for (const socket of ring) socket.drop();
  for (let i = 0; i < count; i++) collectRights(deferred);
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
  const chain = Array.from({ length: 20_000 }, () => new Holder());
  for (let i = 1; i < chain.length; i++) {
    chain[i - 1]!.message = new RightsInFlight([chain[i]!], chain[i - 1]!);
  }
  chain[0]!.drop();
  assertEquals(countGone(chain) <= 1 + SLICE_UNITS / 4, true);
  while (!deferred.isEmpty) deferred.step();
  assertEquals(countGone(chain), chain.length);
});
