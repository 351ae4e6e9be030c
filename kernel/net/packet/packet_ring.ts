/**
 * The ring that a packet socket shares with its process (PACKET_RX_RING, packet(7)): frames of one size, each with a word
 * that says whose it is. All of it is the guest's to write; only that word is read here. Versions 1 and 2.
 */

import { EBUSY, EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/packet.ts";
import { copy, copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { Backing, type FileIdentity } from "../../mm/backing.ts";
import { type FrameAllocator, PAGE_SIZE } from "../../mm/frames.ts";

/** LIMIT: bytes of one ring. */
const RING_MAX = 64 << 20;
/** Link headers have at least so many bytes of room. */
const LINK_ROOM = 16;
const header = new Uint8Array(P.TPACKET_HDRLEN), words = new DataView(header.buffer);

/** What goes into a frame. */
export interface RingPacket {
  readonly bytes: Uint8Array;
  /** Bytes of it that are kept, and where the network's header is among them. */
  readonly kept: number;
  readonly network: number;
  /** struct sockaddr_ll. */
  readonly from: Uint8Array;
  readonly sec: number;
  readonly nsec: number;
}

export class PacketRing extends Backing {
  override readonly inode: FileIdentity;
  override readonly platformFile = -1;
  override readonly hostFd = -1;
  private readonly frames: FrameAllocator;
  private readonly base: number;
  private readonly bytes: number;
  private readonly frameBytes: number;
  private readonly perBlock: number;
  private readonly blockBytes: number;
  private readonly count: number;
  private readonly version: number;
  private readonly reserve: number;
  private head: number = 0;
  /** Mappings and the socket. */
  private refs: number = 1;

  private constructor(
    frames: FrameAllocator,
    inode: FileIdentity,
    base: number,
    dv: DataView,
    version: number,
    reserve: number,
  ) {
    super();
    const { at } = P.TpacketReq;
    this.frames = frames;
    this.inode = inode;
    this.base = base;
    this.blockBytes = dv.getUint32(at.blockSize, true);
    this.bytes = this.blockBytes * dv.getUint32(at.blockNr, true);
    this.frameBytes = dv.getUint32(at.frameSize, true);
    this.perBlock = Math.floor(this.blockBytes / this.frameBytes);
    this.count = dv.getUint32(at.frameNr, true);
    this.version = version;
    this.reserve = reserve;
  }

  /** From a struct tpacket_req: -EINVAL, -ENOMEM. */
  static create(
    frames: FrameAllocator,
    inode: FileIdentity,
    dv: DataView,
    version: number,
    reserve: number,
  ): PacketRing | number {
    const { at } = P.TpacketReq, block = dv.getUint32(at.blockSize, true);
    const blocks = dv.getUint32(at.blockNr, true), frame = dv.getUint32(at.frameSize, true);
    if (block === 0 || block > 0x7fffffff || block % PAGE_SIZE !== 0) return -EINVAL;
    if (frame < P.TPACKET_HDRLEN + reserve || frame % P.TPACKET_ALIGNMENT !== 0) return -EINVAL;
    const perBlock = Math.floor(block / frame);
    if (perBlock === 0 || perBlock * blocks !== dv.getUint32(at.frameNr, true)) return -EINVAL;
    if (block * blocks > RING_MAX) return -ENOMEM;
    const base = frames.alloc(block * blocks / PAGE_SIZE);
    return base < 0 ? -ENOMEM : new PacketRing(frames, inode, base, dv, version, reserve);
  }

  get isMapped(): boolean {
    return this.refs > 1;
  }

  private at(index: number): number {
    const block = Math.floor(index / this.perBlock);
    return this.base + block * this.blockBytes + (index % this.perBlock) * this.frameBytes;
  }
  private status(index: number): number {
    copyToBuffer(header, 0, this.frames.arena.base + this.at(index), 4);
    return words.getUint32(0, true);
  }

  get hasRoom(): boolean {
    return this.status(this.head) === P.TP_STATUS_KERNEL;
  }

  /** The frame before the next one has not been given back yet. */
  get isReadable(): boolean {
    return this.status((this.head + this.count - 1) % this.count) !== P.TP_STATUS_KERNEL;
  }

  /** Puts a packet down; false: the next frame is the process's. */
  put(packet: RingPacket, hasLink: boolean, isLosing: boolean): boolean {
    if (this.status(this.head) !== P.TP_STATUS_KERNEL) return false;
    const link = hasLink ? packet.network : 0;
    const network = hasLink
      ? align(P.TPACKET_HDRLEN + Math.max(link, LINK_ROOM)) + this.reserve
      : align(P.TPACKET_HDRLEN) + LINK_ROOM + this.reserve;
    const mac = network - link, kept = Math.min(packet.kept, Math.max(0, this.frameBytes - mac));
    const to = this.frames.arena.base + this.at(this.head);
    this.describePacket(packet, kept, mac, network);
    copyFromBuffer(to + 4, header, 4, P.TPACKET_HDRLEN - 4);
    if (kept > 0) copyFromBuffer(to + mac, packet.bytes, 0, kept);
    // Last of all whose it is.
    words.setUint32(0, P.TP_STATUS_USER | (isLosing ? P.TP_STATUS_LOSING : 0), true);
    copyFromBuffer(to, header, 0, 4);
    this.head = (this.head + 1) % this.count;
    return true;
  }

  /** struct tpacket_hdr or tpacket2_hdr and the address behind it, in `header`. */
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

  override describe(): string {
    return `socket:[${this.inode.ino}]`;
  }
  override size(): number {
    return this.bytes;
  }
  override frame(offset: number, _write: boolean): number {
    return offset < this.bytes ? this.base + offset : -EFAULT;
  }
  override contiguous(offset: number, _frame: number, maxPages: number): number {
    return Math.max(1, Math.min(maxPages, (this.bytes - offset) / PAGE_SIZE));
  }
  override readInto(hostAddr: number, offset: number, len: number): number {
    const n = Math.max(0, Math.min(len, this.bytes - offset));
    copy(hostAddr, this.frames.arena.base + this.base + offset, n);
    return n;
  }
  override hold(): void {
    this.refs++;
  }
  override drop(): void {
    if (--this.refs === 0) this.frames.release(this.base, this.bytes / PAGE_SIZE);
  }
}

/** A new ring in place of `old`, none if it is asked for none: -EBUSY while one is mapped. */
export function replaceRing(
  old: PacketRing | null,
  frames: FrameAllocator,
  inode: FileIdentity,
  dv: DataView,
  version: number,
  reserve: number,
): PacketRing | null | number {
  if (old?.isMapped) return -EBUSY;
  if (dv.getUint32(P.TpacketReq.at.blockNr, true) !== 0) {
    return old !== null ? -EBUSY : PacketRing.create(frames, inode, dv, version, reserve);
  }
  if (dv.getUint32(P.TpacketReq.at.frameNr, true) !== 0) return -EINVAL;
  old?.drop();
  return null;
}

function align(bytes: number): number {
  return Math.ceil(bytes / P.TPACKET_ALIGNMENT) * P.TPACKET_ALIGNMENT;
}
