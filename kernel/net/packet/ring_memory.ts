/** The memory that a packet socket shares with its process (packet(7)). All of it is the guest's to write. */

import * as P from "../../../ffi/abi/packet.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { KernelPages } from "../../mm/kernel_pages.ts";

/** Link headers have at least so many bytes of room. */
const LINK_ROOM = 16;
const word = new Uint8Array(4), words = new DataView(word.buffer);

/** What goes into a ring. */
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

export abstract class RingMemory extends KernelPages {
  /** Something is there that the process has not given back yet. */
  abstract get isReadable(): boolean;
  abstract get hasRoom(): boolean;
  /** How often all blocks were the process's; only of rings of blocks. */
  abstract takeFreezes(): number;
  /** Puts a packet down; false: there is no room. */
  abstract put(packet: RingPacket, hasLink: boolean, isLosing: boolean): boolean;
  /** The socket lets go. */
  abstract stop(): void;

  /** A status word of the process's and ours. */
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

/** Where the network's header goes behind one of `header` bytes that an address follows. */
export function networkAt(header: number, packet: RingPacket, hasLink: boolean): number {
  return hasLink ? align(header + Math.max(packet.network, LINK_ROOM)) : align(header) + LINK_ROOM;
}

function align(bytes: number): number {
  return Math.ceil(bytes / P.TPACKET_ALIGNMENT) * P.TPACKET_ALIGNMENT;
}
