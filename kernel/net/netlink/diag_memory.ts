/** Socket memory for sock_diag(7), which diag_inet.ts and diag_local.ts share. */

import * as D from "../../../ffi/abi/sock_diag.ts";
import type { Socket } from "../socket.ts";
import type { NetlinkWriter } from "./writer.ts";

/** Adds the words of INET_DIAG_SKMEMINFO, UNIX_DIAG_MEMINFO and the like. */
export function putMemory(
  out: NetlinkWriter,
  type: number,
  socket: Socket,
  received: number,
  unsent: number,
): void {
  const at = out.attribute(type, 4 * D.SK_MEMINFO_VARS);
  const put = (index: number, value: number) => out.dv.setUint32(at + 4 * index, value, true);
  put(D.SK_MEMINFO_RMEM_ALLOC, received);
  put(D.SK_MEMINFO_RCVBUF, socket.options.receiveBytes);
  put(D.SK_MEMINFO_WMEM_ALLOC, unsent);
  put(D.SK_MEMINFO_SNDBUF, socket.options.sendBytes);
  put(D.SK_MEMINFO_WMEM_QUEUED, unsent);
  put(D.SK_MEMINFO_DROPS, socket.drops);
}
