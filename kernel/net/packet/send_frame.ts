/**
 * Delivery of a frame that a packet socket sends: along the links, to the packet sockets that watch
 * them, and to the internet sockets of each station that it is for.
 *
 * DIFFERS: bridges do not learn addresses, nothing is forwarded by IP, fragments and segments of
 * TCP are dropped.
 */

import * as P from "../../../ffi/abi/packet.ts";
import { bytesToString } from "../../core/bytes.ts";
import { isLoopback, isV4, MAPPED } from "../inet/address.ts";
import { parse4, parse6 } from "../inet/ip/ip_packet.ts";
import { isMultiDestination } from "../inet/multicast/group_route.ts";
import { isForged, receiveMulticast } from "../inet/multicast/multicast_packets.ts";
import { deliverPacket } from "../inet/ip/packet_delivery.ts";
import { CROSSINGS_MAX, openPorts } from "../link/flood.ts";
import type { Link } from "../link/link.ts";
import { findNamespace } from "../link/reach.ts";
import { countArrival, countCrossing } from "../traffic/count_packets.ts";
import { putHeader, typeFor } from "./ethernet.ts";
import type { PacketSocket } from "./packet_socket.ts";
import type { Frame } from "./taps.ts";

/** ARP for IPv4 over Ethernet: length and offsets behind the header (RFC 826). */
const ARP_BYTES = 28, ARP_SENDER = 8, ARP_TARGET = 24, ARP_REQUEST = 1, ARP_REPLY = 2;

/** Sends a frame by `link`, which is up. */
export function sendFrame(link: Link, frame: Frame, sender: PacketSocket | null): void {
  const outgoing: Link[] = [link], seen = new Set<Link>();
  let by = sender;
  for (let out = outgoing.pop(); out !== undefined; out = outgoing.pop()) {
    if (seen.has(out) || seen.size > CROSSINGS_MAX) continue;
    seen.add(out);
    passLink(out, frame, P.PACKET_OUTGOING, by);
    by = null;
    if (out.kind === "loopback") arrive(out, frame);
    else if (out.kind === "bridge") {
      for (const port of openPorts(out, null)) outgoing.push(port);
    } else if (out.peer?.isUp) {
      for (const port of arrive(out.peer, frame)) outgoing.push(port);
    }
  }
}

/** The frame arrives at a link that is up: the links that forward it. */
function arrive(link: Link, frame: Frame): readonly Link[] {
  const type = typeFor(frame.bytes, link.mac), bridge = link.master;
  passLink(link, frame, type, null);
  if (bridge === null) {
    if (type !== P.PACKET_OTHERHOST) deliver(link, frame);
    return [];
  }
  if (!bridge.isUp) return [];
  const forBridge = typeFor(frame.bytes, bridge.mac);
  if (forBridge !== P.PACKET_OTHERHOST) {
    passLink(bridge, frame, forBridge, null);
    deliver(bridge, frame);
  }
  return forBridge === P.PACKET_HOST ? [] : openPorts(bridge, link);
}

/** Count the frame at a link and show it to the packet sockets there. */
function passLink(link: Link, frame: Frame, type: number, sender: PacketSocket | null): void {
  const isIncoming = type !== P.PACKET_OUTGOING;
  countCrossing({ link, isIncoming }, 1, frame.bytes.length - P.ETH_HLEN);
  link.table.net.taps.show(link, frame, type, sender);
}

/** Delivers the packet in a frame to the station of `link`. */
function deliver(link: Link, { bytes, protocol }: Frame): void {
  const { net, links } = { net: link.table.net, links: link.table }, body = bytes.slice(P.ETH_HLEN);
  if (protocol === P.ETH_P_ARP) return answerArp(link, body);
  const packet = protocol === P.ETH_P_IP
    ? parse4(body)
    : protocol === P.ETH_P_IPV6
    ? parse6(body)
    : null;
  if (packet === null || net.inet === null) return;
  // As a router does with loopback addresses.
  const { source, destination } = packet, isOwn = isLoopback(source) || isLoopback(destination);
  if (isOwn && (isV4(destination) || link.kind !== "loopback")) return;
  if (isMultiDestination(links, destination)) return receiveMulticast(link, packet);
  if (links.linkOf(destination) === null || isForged(link, source)) return;
  countArrival(net, packet);
  const back = findNamespace(net, packet.source);
  deliverPacket(typeof back === "number" ? null : back.inet, net.inet, packet);
}

/** Reply to an ARP request for one of the station's addresses. */
function answerArp(link: Link, request: Uint8Array<ArrayBuffer>): void {
  if (request.length < ARP_BYTES || request[6] !== 0 || request[7] !== ARP_REQUEST) return;
  if (request[4] !== P.ETH_ALEN || request[5] !== 4) return;
  const wanted = MAPPED + bytesToString(request, ARP_TARGET, ARP_TARGET + 4);
  const isOurs = link.addresses.some(({ address }) => isV4(address) && address === wanted);
  if (!isOurs) return;
  const bytes = new Uint8Array(P.ETH_HLEN + ARP_BYTES), reply = bytes.subarray(P.ETH_HLEN);
  reply.set(request.subarray(0, ARP_BYTES));
  reply[7] = ARP_REPLY;
  reply.set(request.subarray(ARP_SENDER, ARP_SENDER + 10), ARP_SENDER + 10);
  reply.set(request.subarray(ARP_TARGET, ARP_TARGET + 4), ARP_SENDER + P.ETH_ALEN);
  for (let i = 0; i < P.ETH_ALEN; i++) reply[ARP_SENDER + i] = link.mac.charCodeAt(i);
  const to = bytesToString(request, ARP_SENDER, ARP_SENDER + P.ETH_ALEN);
  putHeader(bytes, to, link.mac, P.ETH_P_ARP);
  sendFrame(link, { bytes, protocol: P.ETH_P_ARP }, null);
}
