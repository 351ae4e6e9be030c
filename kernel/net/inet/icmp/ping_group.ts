/** Who may open ping sockets: the groups of /proc/sys/net/ipv4/ping_group_range (icmp(7)). */

import type { SocketCaller } from "../../message.ts";
import type { NetNamespace } from "../../net_namespace.ts";

export function mayPing(net: NetNamespace, caller: SocketCaller): boolean {
  const words = net.setting("net/ipv4/ping_group_range").split(/\s+/);
  // Without settings nobody: as Linux has it.
  const first = Number(words[0]), last = Number(words[1]), { egid, groups } = caller.cred;
  return [egid, ...groups].some((gid) => gid >= first && gid <= last);
}
