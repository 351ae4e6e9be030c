import { assertEquals } from "@std/assert";
import { POLLERR } from "../../../../ffi/abi/poll.ts";
import { AF_INET, SHUT_RDWR, SOCK_DGRAM, SOCK_STREAM } from "../../../../ffi/abi/socket.ts";
import { errno } from "../../../vfs/vfs_testing.ts";
import { inetAddress, NetLab, portOf } from "../../net_testing.ts";
import { LO } from "../tcp/tcp_testing.ts";

Deno.test("datagrams: addresses, connecting, refusal", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_INET, SOCK_DGRAM),
    b = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(a, inetAddress("0.0.0.0", 6000));
  const to = inetAddress(LO, 6000);
  assertEquals([lab.send(b, "none"), lab.send(b, "hello", to)], ["EDESTADDRREQ", 5]);
  assertEquals([lab.receive(a), lab.last.name.dv.getUint16(2)], ["hello", portOf(b)]);
  assertEquals([lab.connect(b, to), lab.send(b, "again"), lab.receive(a)], [0, 5, "again"]);
  const c = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(c, inetAddress(LO, 6001));
  assertEquals([lab.send(c, "x", inetAddress(LO, portOf(b))), lab.receive(b)], [1, "EAGAIN"]);
  a.drop();
  assertEquals([lab.send(b, "1"), b.poll() & POLLERR, lab.receive(b)], [
    1,
    POLLERR,
    "ECONNREFUSED",
  ]);
  assertEquals(lab.send(c, "lost", to), 4, "an unconnected sender gets no error");
  assertEquals(lab.send(c, "x".repeat(65508), to), "EMSGSIZE");
});

Deno.test("a full datagram queue drops without an error", () => {
  const lab = new NetLab(),
    a = lab.socket(AF_INET, SOCK_DGRAM),
    b = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(a, inetAddress(LO, 6002));
  for (let i = 0; i < 20; i++) {
    assertEquals(lab.send(b, "x".repeat(30_000), inetAddress(LO, 6002)), 30_000);
  }
  let got = 0;
  while (lab.receive(a, 30_000) !== "EAGAIN") got++;
  assertEquals(got > 1 && got < 20, true);
});

Deno.test("shutdown needs a connection", () => {
  const lab = new NetLab();
  for (const type of [SOCK_STREAM, SOCK_DGRAM]) {
    assertEquals(errno(lab.socket(AF_INET, type).shutdown(SHUT_RDWR)), "ENOTCONN");
  }
});
