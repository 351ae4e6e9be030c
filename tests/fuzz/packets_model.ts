/**
 * A second, simple reading of frames, for packets_fuzz_test.ts to compare with: which datagram is in
 * one, and whether the sums and lengths in it are right. Written from the RFCs (791, 768, 8200,
 * 9293), not from kernel/net. Not a test.
 */

const ETH = 14, IP4 = 0x800, IP6 = 0x86dd, ARP = 0x806;
const ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58;
const OWN_MAC = [2, 0, 0, 0, 0, 2], OWN = [10, 0, 1, 2];

type Bytes = Uint8Array<ArrayBuffer>;

function u16(bytes: Bytes, at: number): number {
  return (bytes[at] ?? 0) << 8 | (bytes[at + 1] ?? 0);
}

/** The folded sum of 16-bit words; 0xffff where a sum is right. */
function sumOf(...parts: readonly Bytes[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += u16(part, i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function isSame(bytes: Bytes, at: number, wanted: readonly number[]): boolean {
  return wanted.every((value, i) => bytes[at + i] === value);
}

/** A packet's parts, as its header says. */
interface Packet {
  readonly protocol: number;
  readonly addresses: Bytes;
  readonly payload: Bytes;
  readonly header: Bytes | null;
}

/** Null: the lengths are wrong. */
function packetIn(frame: Bytes): Packet | null {
  const body = frame.subarray(ETH), type = u16(frame, 12);
  if (type === IP4) {
    const header = (body[0]! & 15) * 4, length = u16(body, 2);
    if (body.length < 20 || body[0]! >> 4 !== 4 || header < 20) return null;
    if (length < header || length > body.length) return null;
    const payload = body.subarray(header, length), addresses = body.subarray(12, 20);
    return { protocol: body[9]!, addresses, payload, header: body.subarray(0, header) };
  }
  if (type !== IP6 || body.length < 40 || body[0]! >> 4 !== 6) return null;
  const length = u16(body, 4);
  if (40 + length > body.length) return null;
  const payload = body.subarray(40, 40 + length), addresses = body.subarray(8, 40);
  return { protocol: body[6]!, addresses, payload, header: null };
}

function pseudo({ protocol, addresses, payload }: Packet): Bytes {
  const bytes = new Uint8Array(addresses.length + 4);
  bytes.set(addresses);
  bytes.set([payload.length >> 8, payload.length & 0xff, 0, protocol], addresses.length);
  return bytes;
}

/** Where the sum of a protocol's own is; -1: it has none. */
function sumAt(protocol: number): number {
  return new Map([[ICMP, 2], [ICMP6, 2], [TCP, 16], [UDP, 6]]).get(protocol) ?? -1;
}

/** Puts the right sums into a frame, as far as it has places for them. */
export function sealFrame(frame: Bytes): void {
  const packet = packetIn(frame);
  if (packet === null) return;
  const { header, payload, protocol } = packet, at = sumAt(protocol);
  if (header !== null) putSum(header, 10, [header]);
  if (at < 0 || payload.length < at + 2) return;
  putSum(payload, at, protocol === ICMP ? [payload] : [payload, pseudo(packet)]);
}

function putSum(bytes: Bytes, at: number, covered: readonly Bytes[]): void {
  bytes[at] = bytes[at + 1] = 0;
  const sum = ~sumOf(...covered) & 0xffff;
  bytes[at] = sum >> 8;
  bytes[at + 1] = sum & 0xff;
}

/** An answer's sums and lengths are right. */
export function isSound(frame: Bytes): boolean {
  const packet = packetIn(frame);
  if (packet === null) return u16(frame, 12) === ARP && frame.length >= ETH + 28;
  const { header, payload, protocol } = packet, at = sumAt(protocol);
  if (header !== null && sumOf(header) !== 0xffff) return false;
  if (at < 0) return true;
  if (payload.length < at + 2) return false;
  return sumOf(...protocol === ICMP ? [payload] : [payload, pseudo(packet)]) === 0xffff;
}

/**
 * The datagram that a socket of IPv4 at `port` of the far station gets of a frame; null: none.
 * "perhaps": one for many stations, which depends on groups and networks.
 */
export function datagramIn(frame: Bytes, port: number): Bytes | null | "perhaps" {
  const packet = u16(frame, 12) === IP4 ? packetIn(frame) : null;
  const isForMany = (frame[0]! & 1) !== 0;
  if (packet === null || (!isForMany && !isSame(frame, 0, OWN_MAC))) return null;
  const { header, payload, protocol, addresses } = packet;
  if (header === null || sumOf(header) !== 0xffff || protocol !== UDP) return null;
  // A fragment, which has an offset or is not the last.
  if ((u16(header, 6) & 0x3fff) !== 0) return null;
  const first = addresses[4]!, length = u16(payload, 4);
  if (isMartian(addresses) || first === 127) return null;
  if (payload.length < 8 || length < 8 || length > payload.length) return null;
  if (u16(payload, 2) !== port) return null;
  const datagram = payload.subarray(0, length);
  const sealed = pseudo({ ...packet, payload: datagram });
  if (u16(payload, 6) !== 0 && sumOf(datagram, sealed) !== 0xffff) return null;
  if (!isSame(addresses, 4, OWN)) return first >= 224 || addresses[7] === 255 ? "perhaps" : null;
  return datagram.slice(8);
}

/**
 * Linux takes nothing from there: its own address, those of groups and of all stations, 0.0.0.0 and
 * the loopback's (`ip_route_input_slow`; 0.1.2.3 and 240.0.0.1 it takes).
 */
function isMartian(addresses: Bytes): boolean {
  const first = addresses[0]!, isGroup = first >= 224 && first < 240;
  const isEdge = [0, 255].some((value) => isSame(addresses, 0, [value, value, value, value]));
  return first === 127 || isGroup || isEdge || isSame(addresses, 0, OWN);
}
