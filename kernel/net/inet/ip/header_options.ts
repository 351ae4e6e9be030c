/**
 * Options of IPv4 headers (RFC 791): IP_OPTIONS sets them, IP_RECVOPTS and IP_RETOPTS receive them
 * (ip(7)). Packets of datagram and raw sockets carry them.
 *
 * DIFFERS: TCP segments carry none, and options that routers write to (source routes, record route,
 * time stamps) are refused.
 */

import { CAP_NET_RAW } from "../../../../ffi/abi/capability.ts";
import { EINVAL, ENOPROTOOPT } from "../../../../ffi/abi/errno.ts";
import * as I from "../../../../ffi/abi/inet.ts";
import type { ControlWriter } from "../../control_writer.ts";
import type { OptionValue } from "../../socket_options.ts";
import { isV4 } from "../address.ts";
import type { InetSocket } from "../inet_socket.ts";
import type { IpOptions } from "./ip_options.ts";
import { IP_HEADER, type IpPacket } from "./ip_packet.ts";

export type HeaderOptions = Uint8Array<ArrayBuffer> | null;

const MOST_BYTES = 40;
const END = 0, NOOP = 1, ROUTER_ALERT = 148, ROUTER_ALERT_BYTES = 4;
/** IPOPT_RR, IPOPT_TIMESTAMP, IPOPT_LSRR, IPOPT_SSRR. */
const WRITTEN_TO: ReadonlySet<number> = new Set([7, 68, 131, 137]);

/**
 * Checks options as ip_options_compile of Linux does: 0 or -errno. Bytes behind the end become 0.
 */
function check(options: Uint8Array, mayUseAny: boolean): number {
  for (let at = 0; at < options.length;) {
    const type = options[at]!, left = options.length - at;
    if (type === END) {
      options.fill(END, at);
      return 0;
    }
    if (type === NOOP) {
      at++;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || length > left) return -EINVAL;
    if (WRITTEN_TO.has(type)) return -ENOPROTOOPT;
    if (type === ROUTER_ALERT ? length < ROUTER_ALERT_BYTES : !mayUseAny) return -EINVAL;
    at += length;
  }
  return 0;
}

/** IP_OPTIONS: 0 or -errno. */
export function setHeaderOptions({ ip, net }: InetSocket, value: OptionValue): number {
  const { length } = value;
  if (length > MOST_BYTES) return -EINVAL;
  // Options fill whole words.
  const options = new Uint8Array(length + 3 & ~3), cred = value.asker?.cred;
  options.set(value.u8.subarray(0, length));
  const r = check(options, cred !== undefined && net.isCapable(cred, CAP_NET_RAW));
  if (r === 0) ip.headerOptions = length === 0 ? null : options;
  return r;
}

/** IP_OPTIONS: the options that are set. */
export function getHeaderOptions({ headerOptions }: IpOptions, value: OptionValue): number {
  value.length = headerOptions?.length ?? 0;
  if (headerOptions !== null) value.u8.set(headerOptions);
  return 0;
}

/** The options of packets from a socket to an address. */
export function optionsTo({ headerOptions }: IpOptions, address: string): HeaderOptions {
  return headerOptions !== null && isV4(address) ? headerOptions : null;
}

/** The options of a packet. */
export function optionsOf({ whole, destination, options }: IpPacket): HeaderOptions {
  if (whole === null || !isV4(destination)) return options ?? null;
  const end = (whole[0]! & 15) * 4;
  return end > IP_HEADER ? whole.slice(IP_HEADER, end) : null;
}

/** Whether the receiver asks for options. */
export function wantsHeaderOptions({ kept4 }: IpOptions): boolean {
  return kept4.get(I.IP_RECVOPTS) === 1 || kept4.get(I.IP_RETOPTS) === 1;
}

/**
 * Adds the control messages of a received datagram. No option that is accepted here needs reversing
 * for the way back.
 */
export function putHeaderOptions(ip: IpOptions, options: HeaderOptions, out: ControlWriter): void {
  if (options === null) return;
  if (ip.kept4.get(I.IP_RECVOPTS) === 1) {
    if (out.room > 0) out.u8.set(options.subarray(0, out.room), out.data);
    out.put(I.IPPROTO_IP, I.IP_RECVOPTS, options.length);
  }
  if (ip.kept4.get(I.IP_RETOPTS) === 1) out.put(I.IPPROTO_IP, I.IP_RETOPTS, 0);
}
