/**
 * The block ring of a packet socket (PACKET_RX_RING of packet(7), version 3): packets of any size
 * one after the other. A block is handed to the process when the next packet has no room in it, or
 * some time after its first packet.
 *
 * DIFFERS: no flow hashes (TP_FT_REQ_FILL_RXHASH) and no VLAN tags: they read as 0.
 */

import * as P from "../../../ffi/abi/packet.ts";
import type { FileIdentity } from "../../mm/backing.ts";
import { Timer } from "../../time/timer.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { networkAt, RingMemory, type RingPacket } from "./ring_memory.ts";

const NS_PER_MS = 1e6;
/** The timeout if the process gives none. */
const DEFAULT_TIMEOUT_MS = 8;
const BLOCK = P.TpacketBlockDesc, PACKET = P.Tpacket3Hdr;
const header = new Uint8Array(P.TPACKET3_HDRLEN), words = new DataView(header.buffer);
const head = new Uint8Array(BLOCK.size), headWords = new DataView(head.buffer);

/** The socket that owns the ring. */
export interface BlockRingOwner {
  readonly net: NetNamespace;
  readonly inode: FileIdentity;
  /** Called when a block was passed to the process. */
  wakeReaders(): void;
}

export class BlockRing extends RingMemory {
  private readonly owner: BlockRingOwner;
  private readonly blockBytes: number;
  private readonly count: number;
  private readonly start: number;
  private readonly reserve: number;
  private readonly timeoutNs: number;
  private readonly timer: RetireTimer = new RetireTimer(this);
  /**
   * The block that is being filled, or (`isOpen` is false) one that the process has not returned.
   */
  private block: number = 0;
  private isOpen: boolean = false;
  private sequence: number = 0;
  private freezes: number = 0;
  private packets: number = 0;
  /** Offsets for the next packet, and of the last one. */
  private next: number = 0;
  private last: number = 0;
  private firstSec: number = 0;
  private firstNsec: number = 0;
  private lastSec: number = 0;
  private lastNsec: number = 0;
  private isLosing: boolean = false;

  /** `dv`: a struct tpacket_req3 that was checked. */
  constructor(owner: BlockRingOwner, base: number, dv: DataView, reserve: number) {
    const { at } = P.TpacketReq, block = dv.getUint32(at.blockSize, true);
    const count = dv.getUint32(at.blockNr, true);
    super(owner.net.frames, owner.inode, base, block * count);
    this.owner = owner;
    this.blockBytes = block;
    this.count = count;
    this.start = BlockRing.headBytes(dv);
    this.reserve = reserve;
    const ms = dv.getUint32(P.TpacketReq3.at.retireBlkTov, true);
    this.timeoutNs = (ms || DEFAULT_TIMEOUT_MS) * NS_PER_MS;
    this.open();
  }

  /** Bytes in front of the packets of a block: its header, and the private area of the process. */
  static headBytes(dv: DataView): number {
    return BLOCK.size + align(dv.getUint32(P.TpacketReq3.at.sizeofPriv, true));
  }

  override get isReadable(): boolean {
    const before = (this.block + this.count - 1) % this.count;
    return this.blockStatus(before) !== P.TP_STATUS_KERNEL;
  }
  override get hasRoom(): boolean {
    return this.isOpen || this.blockStatus(this.block) === P.TP_STATUS_KERNEL;
  }
  override takeFreezes(): number {
    const { freezes } = this;
    this.freezes = 0;
    return freezes;
  }
  override stop(): void {
    this.owner.net.timers.disarm(this.timer);
  }

  private blockStatus(block: number): number {
    return this.status(block * this.blockBytes + BLOCK.at.status);
  }

  override put(packet: RingPacket, hasLink: boolean, isLosing: boolean): boolean {
    const network = networkAt(P.TPACKET3_HDRLEN, packet, hasLink) + this.reserve;
    const mac = network - (hasLink ? packet.network : 0);
    const kept = Math.min(packet.kept, Math.max(0, this.blockBytes - this.start - mac));
    const length = align(mac + kept);
    this.isLosing = isLosing;
    if (!this.isOpen && !this.open()) return false;
    // As Linux: a packet that would end exactly at the end of the block goes into the next one,
    // where it may.
    if (this.next + length >= this.blockBytes) {
      if (this.packets === 0) this.setTimes(packet);
      this.retire(0);
      if (!this.open() || this.next + length > this.blockBytes) return false;
    }
    const to = this.block * this.blockBytes + this.next;
    this.describePacket(packet, kept, mac, network, length);
    this.write(to, header, 0, header.length);
    this.write(to + mac, packet.bytes, 0, kept);
    if (this.packets === 0) this.setTimes(packet);
    this.lastSec = packet.sec;
    this.lastNsec = packet.nsec;
    this.last = this.next;
    this.next += length;
    if (this.packets++ > 0) return true;
    const { timers, host } = this.owner.net;
    timers.arm(this.timer, host.monotonicNs() + this.timeoutNs);
    return true;
  }

  private setTimes({ sec, nsec }: RingPacket): void {
    this.firstSec = this.lastSec = sec;
    this.firstNsec = this.lastNsec = nsec;
  }

  /** Opens the next block if the process has returned it. */
  private open(): boolean {
    if (this.blockStatus(this.block) !== P.TP_STATUS_KERNEL) return false;
    this.isOpen = true;
    this.sequence++;
    this.packets = 0;
    this.next = this.start;
    return true;
  }

  /** Called when the timeout of the block is over. */
  expire(): void {
    if (!this.isOpen || this.packets === 0) return;
    const { host } = this.owner.net;
    this.lastSec = host.realtimeSec();
    this.lastNsec = host.realtimeNsec();
    this.retire(P.TP_STATUS_BLK_TMO);
    this.open();
  }

  /** Hands the block to the process. */
  private retire(why: number): void {
    this.stop();
    const at = this.block * this.blockBytes;
    // The last packet has no successor.
    words.setUint32(0, 0, true);
    if (this.packets > 0) this.write(at + this.last, header, 0, 4);
    this.describeBlock();
    this.write(at, head, 0, BLOCK.at.status);
    const behind = BLOCK.at.numPkts;
    this.write(at + behind, head, behind, BLOCK.size - behind);
    // The status is written last, as it hands the block over.
    const status = P.TP_STATUS_USER | why | (this.isLosing ? P.TP_STATUS_LOSING : 0);
    headWords.setUint32(0, status, true);
    this.write(at + BLOCK.at.status, head, 0, 4);
    this.block = (this.block + 1) % this.count;
    this.isOpen = false;
    if (this.blockStatus(this.block) !== P.TP_STATUS_KERNEL) this.freezes++;
    this.owner.wakeReaders();
  }

  private describeBlock(): void {
    const { at } = BLOCK;
    headWords.setUint32(at.version, P.TPACKET_V3, true);
    headWords.setUint32(at.offsetToPriv, BLOCK.size, true);
    headWords.setUint32(at.numPkts, this.packets, true);
    headWords.setUint32(at.offsetToFirstPkt, this.start, true);
    headWords.setUint32(at.blkLen, this.next, true);
    headWords.setBigUint64(at.seqNum, BigInt(this.sequence), true);
    headWords.setUint32(at.firstSec, this.firstSec, true);
    headWords.setUint32(at.firstNsec, this.firstNsec, true);
    headWords.setUint32(at.lastSec, this.lastSec, true);
    headWords.setUint32(at.lastNsec, this.lastNsec, true);
  }

  /** Writes struct tpacket3_hdr and the address behind it into `header`. */
  private describePacket(
    packet: RingPacket,
    kept: number,
    mac: number,
    network: number,
    length: number,
  ): void {
    const { at } = PACKET;
    header.fill(0);
    words.setUint32(at.nextOffset, length, true);
    words.setUint32(at.sec, packet.sec, true);
    words.setUint32(at.nsec, packet.nsec, true);
    words.setUint32(at.snaplen, kept, true);
    words.setUint32(at.len, packet.bytes.length, true);
    words.setUint32(at.status, P.TP_STATUS_USER, true);
    words.setUint16(at.mac, mac, true);
    words.setUint16(at.net, network, true);
    header.set(packet.from, PACKET.size);
  }
}

export class RetireTimer extends Timer {
  private readonly ring: BlockRing;

  constructor(ring: BlockRing) {
    super();
    this.ring = ring;
  }
  override onExpire(): void {
    this.ring.expire();
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}
