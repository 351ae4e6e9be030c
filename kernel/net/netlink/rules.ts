/** RTM_GETRULE of rtnetlink(7): the rules that each namespace begins with. DIFFERS: there are no others. */

import * as N from "../../../ffi/abi/netlink.ts";
import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

interface Rule {
  readonly table: number;
  readonly priority: number;
}

const LOCAL: Readonly<Rule> = { table: N.RT_TABLE_LOCAL, priority: 0 };
const MAIN: Readonly<Rule> = { table: N.RT_TABLE_MAIN, priority: 0x7ffe };
const DEFAULT: Readonly<Rule> = { table: N.RT_TABLE_DEFAULT, priority: 0x7fff };
const NOT_SUPPRESSED = 0xffffffff;

export function getRules(r: RouteRequest, out: NetlinkWriter): number {
  if (r.wantsFamily(AF_INET)) {
    for (const one of [LOCAL, MAIN, DEFAULT]) {
      put(r, out, one, AF_INET);
    }
  }
  if (r.wantsFamily(AF_INET6)) { for (const one of [LOCAL, MAIN]) put(r, out, one, AF_INET6); }
  return 0;
}

function put(r: RouteRequest, out: NetlinkWriter, rule: Rule, family: number): void {
  const { at } = N.FibRuleHdr;
  const body = out.begin(r.request, N.RTM_NEWRULE, N.NLM_F_MULTI, N.FibRuleHdr.size);
  out.u8[body + at.family] = family;
  out.u8[body + at.table] = rule.table;
  out.u8[body + at.action] = N.FR_ACT_TO_TBL;
  out.u32(N.FRA_TABLE, rule.table);
  out.u32(N.FRA_SUPPRESS_PREFIXLEN, NOT_SUPPRESSED);
  out.u8Value(N.FRA_PROTOCOL, N.RTPROT_KERNEL);
  if (rule.priority !== 0) out.u32(N.FRA_PRIORITY, rule.priority);
  out.end();
}
