/**
 * What becomes of the packets that raw sockets send raw sockets hear them, echo requests are
 * answered, and datagrams reach sockets of UDP. DIFFERS: TCP here has no segments, so none are heard and none arrive.
 */

import * as I from "../../../ffi/abi/inet.ts";
import { Endpoint, isV4 } from "./address.ts";
import type { InetPorts } from "./create.ts";
import { echoReply, isEchoRequest } from "./icmp_packet.ts";
import { checksum, type IpPacket, pseudoHeader, UDP_HEADER } from "./ip_packet.ts";
import { overhear, pass } from "./overhear.ts";
import { injectDatagram, refuseDatagram } from "./udp.ts";
import { tellUnreachable } from "./unreachable.ts";

/** What a raw or a packet socket sends, from the sockets of its own namespace to those of another, or the same. */
export function carry(from: InetPorts | null, to: InetPorts, packet: IpPacket): void {
  overhear(to.raw, packet);
  const { protocol, destination, payload } = packet;
  if (protocol === (isV4(destination) ? I.IPPROTO_ICMP : I.IPPROTO_ICMPV6)) {
    if (from !== null && isEchoRequest(payload, destination)) pass(to.net, from, answerTo(packet));
  } else if (protocol === I.IPPROTO_UDP) carryDatagram(from, to, packet);
}

/** The answer to an echo request. */
export function answerTo(request: IpPacket): IpPacket {
  const { source, destination } = request;
  return {
    ...request,
    source: destination,
    destination: source,
    payload: echoReply(request.payload, destination, source),
    whole: null,
  };
}

/** A datagram that is damaged is dropped. */
function carryDatagram(sender: InetPorts | null, ports: InetPorts, packet: IpPacket): void {
  const { payload, source, destination, protocol } = packet;
  if (payload.length < UDP_HEADER) return;
  const dv = new DataView(payload.buffer, payload.byteOffset), length = dv.getUint16(4);
  if (length < UDP_HEADER || length > payload.length) return;
  const start = pseudoHeader(length, protocol, source, destination);
  const isSealed = dv.getUint16(6) !== 0;
  if (isSealed && checksum(payload, 0, length, start) !== 0) return;
  if (!isSealed && !isV4(destination)) return;
  const from = new Endpoint(source, dv.getUint16(0)),
    to = new Endpoint(destination, dv.getUint16(2));
  const bytes = payload.slice(UDP_HEADER, length);
  if (injectDatagram(ports.udp, bytes, from, to, packet) || sender === null) return;
  refuseDatagram(sender.udp, bytes, from, to);
  tellUnreachable(ports.net, sender, packet);
}
