// Messages with descriptors that nobody can receive any more are dropped.

import { assertEquals } from "@std/assert";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { collectRights, RightsInFlight } from "./rights.ts";

const fs = new AnonFs("sockfs");

class FakeSocket extends OpenFile {
  override readonly inode = fs.make(0o140777);
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
  collectRights();
  assertEquals([a.isGone, b.isGone, payload.isGone], [false, false, false]);
  a.drop();
  collectRights();
  assertEquals(a.isGone, false); // b is still open, and a can be received from it
  b.drop();
  collectRights();
  assertEquals([a.isGone, b.isGone, payload.isGone], [true, true, true]);
});

Deno.test("what a reachable socket is going to receive stays", () => {
  const open = new FakeSocket(), carried = new FakeSocket(), inner = new FakeSocket();
  const first = new RightsInFlight([carried], open);
  new RightsInFlight([inner], carried);
  collectRights();
  assertEquals([carried.isGone, inner.isGone], [false, false]);
  first.drop();
  collectRights();
  assertEquals(carried.isGone, true);
});
