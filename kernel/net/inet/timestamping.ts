/**
 * SO_TIMESTAMPING (Documentation/networking/timestamping.rst): times of arrival, and times of
 * sending through the error queue. All times are software times.
 *
 * DIFFERS: datagrams only, no flags for one message.
 */

import { EINVAL, ENOMSG, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as E from "../../../ffi/abi/errqueue.ts";
import { ETH_HLEN, ETH_P_IP, ETH_P_IPV6 } from "../../../ffi/abi/packet.ts";
import { SO_TIMESTAMPING_NEW } from "../../../ffi/abi/socket.ts";
import { NO_MAC } from "../link/link.ts";
import type { OptionValue } from "../socket_options.ts";
import { putHeader } from "../packet/ethernet.ts";
import { isV4 } from "./address.ts";
import { extendedError, queueError } from "./error_queue.ts";
import { buildPacket4, buildPacket6, type IpPacket } from "./ip/ip_packet.ts";
import type { InetSocket } from "./inet_socket.ts";

/** struct so_timestamping: flags and the number of a clock. */
const VALUE_BYTES = 8;
const ALL = 2 * E.SOF_TIMESTAMPING_OPT_RX_FILTER - 1;
const NOTHING = new Uint8Array(0);

/** SO_TIMESTAMPING: 0 or -errno. */
export function setTimestamping(socket: InetSocket, name: number, value: OptionValue): number {
  if (!value.isInt) return -EINVAL;
  const { options } = socket, flags = value.int >>> 0;
  if (flags > ALL) return -EINVAL;
  // These flags are for streams.
  if ((flags & (E.SOF_TIMESTAMPING_OPT_STATS | E.SOF_TIMESTAMPING_OPT_ID_TCP)) !== 0) {
    const needed = (flags & E.SOF_TIMESTAMPING_OPT_ID) !== 0 &&
      (flags & E.SOF_TIMESTAMPING_OPT_STATS) === 0;
    if (!needed) return -EINVAL;
  }
  if ((flags & E.SOF_TIMESTAMPING_BIND_PHC) !== 0) return -EOPNOTSUPP;
  const counts = E.SOF_TIMESTAMPING_OPT_ID;
  if ((flags & counts) !== 0 && (options.timestamping & counts) === 0) socket.sentCount = 0;
  options.timestamping = flags;
  options.isTimestampingNew = name === SO_TIMESTAMPING_NEW;
  return 0;
}

/** SO_TIMESTAMPING: the flags that are set. */
export function getTimestamping(socket: InetSocket, name: number, value: OptionValue): number {
  const { timestamping, isTimestampingNew } = socket.options;
  const isShown = name !== SO_TIMESTAMPING_NEW || isTimestampingNew;
  value.dv.setUint32(0, isShown ? timestamping : 0, true);
  value.dv.setUint32(4, 0, true);
  value.length = VALUE_BYTES;
  return 0;
}

/** Whether the socket wants the times at which its packets leave. */
export function stampsSent({ options: { timestamping } }: InetSocket): boolean {
  return (timestamping & (E.SOF_TIMESTAMPING_TX_SOFTWARE | E.SOF_TIMESTAMPING_TX_SCHED)) !== 0;
}

/** A packet of `socket` leaves: queue its times. */
export function stampSent(socket: InetSocket, packet: IpPacket): void {
  if (!stampsSent(socket)) return;
  const flags = socket.options.timestamping;
  const id = (flags & E.SOF_TIMESTAMPING_OPT_ID) !== 0 ? socket.sentCount++ >>> 0 : 0;
  const bytes = (flags & E.SOF_TIMESTAMPING_OPT_TSONLY) !== 0 ? NOTHING : frameOf(packet);
  const isFour = isV4(packet.source),
    showsAddress = !isFour ||
      (flags & E.SOF_TIMESTAMPING_OPT_CMSG) !== 0;
  const source = bytes.length > 0 && showsAddress ? packet.source : null;
  const origin = [E.SO_EE_ORIGIN_TIMESTAMPING, 0, 0] as const;
  const tell = (kind: number) =>
    queueError(socket, extendedError(socket, ENOMSG, origin, kind, id, source), bytes, null, null);
  if ((flags & E.SOF_TIMESTAMPING_TX_SCHED) !== 0) tell(E.SCM_TSTAMP_SCHED);
  if ((flags & E.SOF_TIMESTAMPING_TX_SOFTWARE) !== 0) tell(E.SCM_TSTAMP_SND);
}

function frameOf(packet: IpPacket): Uint8Array<ArrayBuffer> {
  const isFour = isV4(packet.destination),
    body = isFour ? buildPacket4(packet) : buildPacket6(packet);
  const frame = new Uint8Array(ETH_HLEN + body.length);
  frame.set(body, ETH_HLEN);
  putHeader(frame, NO_MAC, NO_MAC, isFour ? ETH_P_IP : ETH_P_IPV6);
  return frame;
}
