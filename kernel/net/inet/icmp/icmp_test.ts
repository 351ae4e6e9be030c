import { assertEquals } from "@std/assert";
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from "../../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW } from "../../../../ffi/abi/socket.ts";
import { SysctlStore } from "../../../proc/fs/sysctl_store.ts";
import { inet6Address, inetAddress, NetLab, portOf } from "../../net_testing.ts";
import { checksum } from "../ip/ip_packet.ts";

const REQUEST = "\x08\0\0\0\0\0\0\x05payload";

function lab(range: string): NetLab {
  const settings = new SysctlStore();
  settings.adopt(new Map([["net/ipv4/ping_group_range", range]]));
  return new NetLab(null, null, { settings });
}

Deno.test("a ping socket receives the answer to its request, with its port as identifier", () => {
  const test = lab("0\t2147483647");
  const a = test.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  const b = test.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  assertEquals(test.send(a, REQUEST, inetAddress("127.0.0.1", 0)), REQUEST.length);
  const port = portOf(a), reply = test.receive(a);
  assertEquals([reply.charCodeAt(0), reply.slice(6)], [0, "\0\x05payload"]);
  assertEquals(reply.charCodeAt(4) * 256 + reply.charCodeAt(5), port);
  assertEquals(checksum(Uint8Array.from(reply, (c) => c.charCodeAt(0)), 0, reply.length, 0), 0);
  assertEquals(test.receive(b), "EAGAIN");
});

Deno.test("a ping socket sends echo requests and nothing else", () => {
  const test = lab("0\t2147483647");
  const a = test.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  const to = inetAddress("127.0.0.1", 0);
  assertEquals(test.send(a, "\x08\0\0\0", to), "EINVAL");
  assertEquals(test.send(a, "", to), "EINVAL");
  assertEquals(test.send(a, "\0" + REQUEST.slice(1), to), "EINVAL");
  assertEquals(test.send(a, REQUEST), "EDESTADDRREQ");
  assertEquals(test.send(a, REQUEST, inetAddress("10.0.0.1", 0)), "ENETUNREACH");
});

Deno.test("raw sockets receive requests and answers of their own family", () => {
  const test = lab("1\t0");
  const raw = test.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  const raw6 = test.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
  test.send(raw, REQUEST, inetAddress("127.0.0.1", 0));
  assertEquals([test.receive(raw).charCodeAt(20), test.receive(raw).charCodeAt(20)], [8, 0]);
  assertEquals([test.receive(raw), test.receive(raw6)], ["EAGAIN", "EAGAIN"]);
  test.send(raw6, "\x80" + REQUEST.slice(1), inet6Address(1, 0));
  assertEquals([test.receive(raw6).charCodeAt(0), test.receive(raw6).charCodeAt(0)], [128, 129]);
  raw.drop();
  raw6.drop();
});
