import { assertEquals } from "@std/assert";
import * as I from "../../../ffi/abi/inet.ts";
import * as S from "../../../ffi/abi/socket.ts";
import * as N from "../../../ffi/abi/syscall_numbers.ts";
import { verdict } from "../../../ffi/asm/call_filter_testing.ts";
import { assembleFilter, rulesFor } from "./seccomp_filter.ts";
import { NETWORK_RULES } from "./network_rules.ts";

const FLAGS = S.SOCK_CLOEXEC | S.SOCK_NONBLOCK;

const withNetwork = assembleFilter(rulesFor(true), "systrap");
const without = assembleFilter(rulesFor(false), "systrap");

Deno.test("only sockets of the internet and of rtnetlink can be opened", () => {
  const may = (...args: number[]) => verdict(withNetwork, N.SYS_socket, ...args);
  for (const family of [S.AF_INET, S.AF_INET6]) {
    for (const type of [S.SOCK_STREAM, S.SOCK_DGRAM, S.SOCK_RAW]) {
      assertEquals(may(family, type | FLAGS, 0), true);
      assertEquals(may(family, type, 0), false);
    }
    assertEquals(may(family, 10 | FLAGS, 0), false, "SOCK_PACKET");
    assertEquals(may(family, S.SOCK_SEQPACKET | FLAGS, 0), false);
  }
  assertEquals(may(S.AF_NETLINK, S.SOCK_RAW | FLAGS, 0), true);
  for (let protocol = 1; protocol < 32; protocol++) {
    assertEquals(may(S.AF_NETLINK, S.SOCK_RAW | FLAGS, protocol), false);
  }
  for (let family = 0; family < S.AF_MAX; family++) {
    if (family === S.AF_INET || family === S.AF_INET6 || family === S.AF_NETLINK) continue;
    assertEquals(may(family, S.SOCK_DGRAM | FLAGS, 0), false, `family ${family}`);
  }
});

Deno.test("options pass by level and name", () => {
  const set = (level: number, name: number) =>
    verdict(withNetwork, N.SYS_setsockopt, 5, level, name);
  assertEquals(set(I.IPPROTO_TCP, I.TCP_NODELAY), true);
  assertEquals(set(S.SOL_SOCKET, S.SO_REUSEADDR), true);
  assertEquals(set(I.IPPROTO_IPV6, I.IPV6_V6ONLY), true);
  const refused: [number, number][] = [
    [S.SOL_SOCKET, S.SO_ATTACH_FILTER],
    [S.SOL_SOCKET, S.SO_ATTACH_BPF],
    [S.SOL_SOCKET, S.SO_MARK],
    [I.IPPROTO_TCP, 31], // TCP_ULP
    [I.IPPROTO_IP, 64], // IPT_SO_SET_REPLACE
    [S.SOL_NETLINK, 1],
    [S.SOL_PACKET, 5],
  ];
  for (const [level, name] of refused) assertEquals(set(level, name), false, `${level} ${name}`);
  const get = (level: number, name: number) =>
    verdict(withNetwork, N.SYS_getsockopt, 5, level, name);
  assertEquals([get(I.IPPROTO_TCP, I.TCP_INFO), get(S.SOL_SOCKET, S.SO_ERROR)], [true, true]);
  assertEquals(set(I.IPPROTO_TCP, I.TCP_INFO), false);
});

Deno.test("ioctls of both lists pass; changes of interfaces do not", () => {
  const may = (request: number) => verdict(withNetwork, N.SYS_ioctl, 5, request);
  assertEquals([I.SIOCGIFADDR, I.SIOCGIFCONF, S.SIOCATMARK, 0x541b].map(may), [
    true,
    true,
    true,
    true,
  ]);
  assertEquals([I.SIOCSIFADDR, I.SIOCSIFFLAGS, I.SIOCETHTOOL, I.SIOCADDRT].map(may), [
    false,
    false,
    false,
    false,
  ]);
});

Deno.test("without host networking none of this passes", () => {
  for (const { nr } of NETWORK_RULES) {
    // Other descriptors than sockets of guests have use for these.
    if (nr === N.SYS_ioctl || nr === N.SYS_accept4) continue;
    assertEquals(verdict(without, nr, S.AF_INET, S.SOCK_STREAM | FLAGS, 0, FLAGS), false);
  }
  assertEquals(verdict(without, N.SYS_ioctl, 5, I.SIOCGIFADDR), false);
  assertEquals(verdict(without, N.SYS_read, 5), true);
});
