// Lists of sockets over several turns, while sockets are made and closed.

import { assert, assertEquals } from "@std/assert";
import { AF_UNIX, SOCK_DGRAM } from "../../ffi/abi/socket.ts";
import { NetLab } from "./net_testing.ts";
import type { Socket } from "./socket.ts";
import { SocketWalk } from "./socket_index.ts";

function sockets(lab: NetLab, count: number): Socket[] {
  return Array.from({ length: count }, () => lab.socket(AF_UNIX, SOCK_DGRAM));
}

Deno.test("a walk checks a bounded number of slots a turn, and meets each socket once", () => {
  const lab = new NetLab(), all = sockets(lab, 1000), walk = new SocketWalk(lab.net.sockets);
  const met: Socket[] = [];
  let turns = 0;
  do {
    walk.begin(64);
    let looked = 0;
    for (let s = walk.next(); s !== null; s = walk.next(), looked++) met.push(s);
    assert(looked <= 64);
    // Close half of the listed sockets; empty places are removed meanwhile.
    for (const s of met.slice(-looked)) if (s.inode.ino % 2 === 0) s.drop();
    turns++;
  } while (!walk.isAtEnd);
  assert(turns >= 16);
  assertEquals(met, all);
  for (const s of all) if (s.refs > 0) s.drop();
  assert(lab.net.sockets.length <= 65);
});

Deno.test("sockets are found by number while they are open", () => {
  const lab = new NetLab(), [a, b] = sockets(lab, 2), { sockets: index } = lab.net;
  if (a === undefined || b === undefined) throw new Error("no sockets");
  assertEquals([index.byNumber(a.inode.ino), index.byNumber(b.inode.ino)], [a, b]);
  a.drop();
  assertEquals([index.byNumber(a.inode.ino), index.byNumber(b.inode.ino)], [null, b]);
  b.cred = null;
  assertEquals(index.byNumber(b.inode.ino), null);
});
