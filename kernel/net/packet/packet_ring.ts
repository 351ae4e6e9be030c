/**
 * The frame ring of a packet socket (PACKET_RX_RING of packet(7), versions 1 and 2): frames of one
 * size, each with a status word that says whether the process owns it. The kernel reads only that
 * word. Version 3: block_ring.ts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EBUSY, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/packet.ts";
import type { FileIdentity } from "../../mm/backing.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import { BlockRing, type BlockRingOwner } from "./block_ring.ts";
import { networkAt, RingMemory, type RingPacket } from "./ring_memory.ts";

/** LIMIT: bytes of one ring. */
const RING_MAX = 64 << 20;
const header = new Uint8Array(P.TPACKET_HDRLEN), words = new DataView(header.buffer);

export class PacketRing extends RingMemory {
  private readonly frameBytes: number;
  private readonly perBlock: number;
  private readonly blockBytes: number;
  private readonly count: number;
  private readonly version: number;
  private readonly reserve: number;
  private head: number = 0;

  /** `dv`: a struct tpacket_req that was checked. */
  constructor(
    frames: FrameAllocator,
    inode: FileIdentity,
    base: number,
    dv: DataView,
    version: number,
    reserve: number,
  ) {
    const { at } = P.TpacketReq, block = dv.getUint32(at.blockSize, true);
    super(frames, inode, base, block * dv.getUint32(at.blockNr, true));
    this.blockBytes = block;
    this.frameBytes = dv.getUint32(at.frameSize, true);
    this.perBlock = Math.floor(this.blockBytes / this.frameBytes);
    this.count = dv.getUint32(at.frameNr, true);
    this.version = version;
    this.reserve = reserve;
  }

  private at(index: number): number {
    const block = Math.floor(index / this.perBlock);
    return block * this.blockBytes + (index % this.perBlock) * this.frameBytes;
  }

  /** The frame before the next one was not returned yet. */
  override get isReadable(): boolean {
    return this.status(this.at((this.head + this.count - 1) % this.count)) !== P.TP_STATUS_KERNEL;
  }
  override get hasRoom(): boolean {
    return this.status(this.at(this.head)) === P.TP_STATUS_KERNEL;
  }
  override takeFreezes(): number {
    return 0;
  }
  override stop(): void {}

  override put(packet: RingPacket, hasLink: boolean, isLosing: boolean): boolean {
    const to = this.at(this.head);
    if (this.status(to) !== P.TP_STATUS_KERNEL) return false;
    const network = networkAt(P.TPACKET_HDRLEN, packet, hasLink) + this.reserve;
    const mac = network - (hasLink ? packet.network : 0);
    const kept = Math.min(packet.kept, Math.max(0, this.frameBytes - mac));
    this.describePacket(packet, kept, mac, network);
    this.write(to + 4, header, 4, P.TPACKET_HDRLEN - 4);
    this.write(to + mac, packet.bytes, 0, kept);
    // The status is written last, as it hands the frame over.
    words.setUint32(0, P.TP_STATUS_USER | (isLosing ? P.TP_STATUS_LOSING : 0), true);
    this.write(to, header, 0, 4);
    this.head = (this.head + 1) % this.count;
    return true;
  }

  /** Writes struct tpacket_hdr or tpacket2_hdr and the address behind it into `header`. */
  private describePacket(packet: RingPacket, kept: number, mac: number, network: number): void {
    const isFirst = this.version === P.TPACKET_V1, at = isFirst ? 8 : 4;
    header.fill(0);
    words.setUint32(at, packet.bytes.length, true);
    words.setUint32(at + 4, kept, true);
    words.setUint16(at + 8, mac, true);
    words.setUint16(at + 10, network, true);
    words.setUint32(at + 12, packet.sec, true);
    words.setUint32(at + 16, isFirst ? Math.floor(packet.nsec / 1000) : packet.nsec, true);
    header.set(packet.from, P.TPACKET_HDR);
  }
}

/**
 * Replaces the ring `old`, by none if the request is empty: -EBUSY while it is mapped, -EINVAL,
 * -ENOMEM.
 */
export function replaceRing(
  old: RingMemory | null,
  owner: BlockRingOwner,
  dv: DataView,
  version: number,
  reserve: number,
): RingMemory | null | number {
  if (old?.isMapped) return -EBUSY;
  if (dv.getUint32(P.TpacketReq.at.blockNr, true) !== 0) {
    return old !== null ? -EBUSY : createRing(owner, dv, version, reserve);
  }
  if (dv.getUint32(P.TpacketReq.at.frameNr, true) !== 0) return -EINVAL;
  old?.stop();
  old?.drop();
  return null;
}

/** Makes a ring from a struct tpacket_req, for version 3 tpacket_req3. */
function createRing(
  owner: BlockRingOwner,
  dv: DataView,
  version: number,
  reserve: number,
): RingMemory | number {
  const { at } = P.TpacketReq, block = dv.getUint32(at.blockSize, true), { frames } = owner.net;
  const blocks = dv.getUint32(at.blockNr, true), frame = dv.getUint32(at.frameSize, true);
  const isThird = version === P.TPACKET_V3;
  const least = reserve + (isThird ? P.TPACKET3_HDRLEN : P.TPACKET_HDRLEN);
  if (block === 0 || block > 0x7fffffff || block % PAGE_SIZE !== 0) return -EINVAL;
  if (isThird && block < BlockRing.headBytes(dv) + least) return -EINVAL;
  if (frame < least || frame % P.TPACKET_ALIGNMENT !== 0) return -EINVAL;
  const perBlock = Math.floor(block / frame);
  if (perBlock === 0 || perBlock * blocks !== dv.getUint32(at.frameNr, true)) return -EINVAL;
  if (block * blocks > RING_MAX) return -ENOMEM;
  const base = frames.alloc(block * blocks / PAGE_SIZE);
  if (base < 0) return -ENOMEM;
  return isThird
    ? new BlockRing(owner, base, dv, reserve)
    : new PacketRing(frames, owner.inode, base, dv, version, reserve);
}
