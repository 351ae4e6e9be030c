/**
 * Base class of the rings that a packet socket shares with its process (packet(7)). The guest can
 * write all of this memory at any time.
 */

import * as P from "../../../ffi/abi/packet.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { KernelPages } from "../../mm/kernel_pages.ts";

/** The least room for a link header. */
const LINK_ROOM = 16;
const word = new Uint8Array(4), words = new DataView(word.buffer);

/** A packet for a ring. */
export interface RingPacket {
  readonly bytes: Uint8Array;
  /** Bytes to keep, and the offset of the network header in them. */
  readonly kept: number;
  readonly network: number;
  /** struct sockaddr_ll. */
  readonly from: Uint8Array;
  readonly sec: number;
  readonly nsec: number;
}

export abstract class RingMemory extends KernelPages {
  /** Whether the process has packets to read. */
  abstract get isReadable(): boolean;
  abstract get hasRoom(): boolean;
  /** How often the process owned all blocks, since the last read; only for block rings. */
  abstract takeFreezes(): number;
  /** Puts a packet into the ring; false: there is no room. */
  abstract put(packet: RingPacket, hasLink: boolean, isLosing: boolean): boolean;
  /** The socket drops the ring. */
  abstract stop(): void;

  /** A status word, which the process and the kernel write. */
  protected status(at: number): number {
    copyToBuffer(word, 0, this.frames.arena.base + this.base + at, 4);
    return words.getUint32(0, true);
  }
  protected write(at: number, from: Uint8Array, start: number, length: number): void {
    if (length > 0) copyFromBuffer(this.frames.arena.base + this.base + at, from, start, length);
  }

  override describe(): string {
    return `socket:[${this.inode.ino}]`;
  }
}

/** The place of the network header behind a ring header of `header` bytes and an address. */
export function networkAt(header: number, packet: RingPacket, hasLink: boolean): number {
  return hasLink ? align(header + Math.max(packet.network, LINK_ROOM)) : align(header) + LINK_ROOM;
}

function align(bytes: number): number {
  return Math.ceil(bytes / P.TPACKET_ALIGNMENT) * P.TPACKET_ALIGNMENT;
}
