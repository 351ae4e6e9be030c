/**
 * The calls that host networking adds to those of seccomp_rules.ts: internet sockets, rtnetlink
 * requests, options by name, interface ioctls. No packet sockets, no UNIX sockets, no other
 * netlink.
 */

import { SIOCGIFCONF } from "../../../ffi/abi/inet.ts";
import { NETLINK_ROUTE } from "../../../ffi/abi/netlink.ts";
import * as S from "../../../ffi/abi/socket.ts";
import * as N from "../../../ffi/abi/syscall_numbers.ts";
import {
  GET_OPTIONS,
  type OptionNames,
  SET_OPTIONS,
} from "../../../kernel/net/host/host_options.ts";
import { INTERFACE_QUESTIONS } from "../../../kernel/net/host/host_transport.ts";
import { rule, type SeccompRule } from "./seccomp_rules.ts";

const FLAGS = S.SOCK_CLOEXEC | S.SOCK_NONBLOCK;
const TYPES = [S.SOCK_STREAM, S.SOCK_DGRAM, S.SOCK_RAW].map((type) => type | FLAGS);

/** A rule for each level of options. */
function optionRules(nr: number, reason: string, options: OptionNames): SeccompRule[] {
  return [...options].map(([level, names]) =>
    rule(nr, reason, {
      tests: [{ index: 1, values: [level] }, { index: 2, values: names }],
    })
  );
}

export const NETWORK_RULES: readonly SeccompRule[] = [
  rule(N.SYS_socket, "internet sockets of guests", {
    tests: [{ index: 0, values: [S.AF_INET, S.AF_INET6] }, { index: 1, values: TYPES }],
  }),
  rule(N.SYS_socket, "questions about links, addresses and routes", {
    tests: [
      { index: 0, values: [S.AF_NETLINK] },
      { index: 1, values: [S.SOCK_RAW | FLAGS] },
      { index: 2, values: [NETLINK_ROUTE] },
    ],
  }),
  rule(N.SYS_bind, "a guest's socket"),
  rule(N.SYS_connect, "a guest's socket"),
  rule(N.SYS_listen, "a guest's socket"),
  rule(N.SYS_accept4, "a guest's socket", { tests: [{ index: 3, values: [FLAGS] }] }),
  rule(N.SYS_getsockname, "a guest's socket"),
  rule(N.SYS_getpeername, "a guest's socket"),
  ...optionRules(N.SYS_setsockopt, "listed options of a guest's socket", SET_OPTIONS),
  ...optionRules(N.SYS_getsockopt, "listed options of a guest's socket", GET_OPTIONS),
  rule(N.SYS_ioctl, "the urgent mark; questions about interfaces", {
    tests: [{ index: 1, values: [S.SIOCATMARK, SIOCGIFCONF, ...INTERFACE_QUESTIONS] }],
  }),
];
