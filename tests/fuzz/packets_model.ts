/**
 * A second, simple reading of frames, for packets_fuzz_test.ts to compare with: which datagram is
 * in one, and whether the sums and lengths in it are right. Written from the RFCs (791, 768, 8200,
 * 9293), not from kernel/net. Not a test.
 */

const ETH = 14, IP4 = 0x800, IP6 = 0x86dd, ARP = 0x806;
const ICMP = 1, TCP = 6, UDP = 17, ICMP6 = 58;
const OWN_MAC = [2, 0, 0, 0, 0, 2], OWN = [10, 0, 1, 2];
const OWN6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const LOOPBACK6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

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

/** Of what IP a socket is. */
type Family = 4 | 6;

/**
 * The datagram that a socket of the far station at `port` gets of a frame; null: none. "perhaps":
 * one for many stations, which depends on groups and networks.
 */
export function datagramIn(frame: Bytes, port: number, family: Family): Bytes | null | "perhaps" {
  const packet = u16(frame, 12) === (family === 4 ? IP4 : IP6) ? packetIn(frame) : null;
  const isForMany = (frame[0]! & 1) !== 0;
  if (packet === null || (!isForMany && !isSame(frame, 0, OWN_MAC))) return null;
  const { header, payload, protocol } = packet;
  if (protocol !== UDP || (header !== null && !isWhole(header))) return null;
  const to = destinationOf(packet, family), length = u16(payload, 4);
  if (to === "other" || payload.length < 8 || length < 8 || length > payload.length) return null;
  if (u16(payload, 2) !== port) return null;
  const datagram = payload.subarray(0, length), isSealed = u16(payload, 6) !== 0;
  if (!isSealed && family === 6) return null;
  if (isSealed && sumOf(datagram, pseudo({ ...packet, payload: datagram })) !== 0xffff) return null;
  return to === "many" ? "perhaps" : datagram.slice(8);
}

/** Its sum is right, and it is no fragment, which has an offset or is not the last. */
function isWhole(header: Bytes): boolean {
  return sumOf(header) === 0xffff && (u16(header, 6) & 0x3fff) === 0;
}

/** "other": not for this station, or from where none may be. */
function destinationOf({ addresses }: Packet, family: Family): "own" | "many" | "other" {
  if (family === 6) {
    const isLoopback = [0, 16].some((at) => isSame(addresses, at, LOOPBACK6));
    if (addresses[0] === 0xff || isLoopback) return "other";
    return isSame(addresses, 16, OWN6) ? "own" : addresses[16] === 0xff ? "many" : "other";
  }
  const first = addresses[4]!;
  if (isMartian(addresses) || first === 127) return "other";
  if (isSame(addresses, 4, OWN)) return "own";
  return first >= 224 || addresses[7] === 255 ? "many" : "other";
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
