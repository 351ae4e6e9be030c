/**
 * Arguments and results of socket calls besides bytes: addresses, descriptors, credentials, flags.
 * The objects are reused from call to call.
 */

import { SOCKADDR_STORAGE_SIZE } from "../../ffi/abi/socket.ts";
import type { Pid, PidSpace } from "../cred/pid.ts";
import type { Caller } from "../vfs/caller.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** The task for which a socket acts. */
export interface SocketCaller extends Caller {
  readonly pid: number;
  /** The process; absent in tests. */
  readonly processId?: Pid;
}

/** A socket address as in user memory. */
export class SocketAddress {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(SOCKADDR_STORAGE_SIZE);
  readonly dv: DataView = new DataView(this.u8.buffer);
  /** Bytes of the address; 0: no address. */
  length: number = 0;

  /** sa_family; -1: the address is too short for one. */
  get family(): number {
    return this.length < 2 ? -1 : this.dv.getUint16(0, true);
  }

  /** Makes all bytes zero but the family. */
  start(family: number, length: number): void {
    this.u8.fill(0, 0, length);
    this.dv.setUint16(0, family, true);
    this.length = length;
  }

  copy(from: SocketAddress): void {
    this.u8.set(from.u8.subarray(0, from.length));
    this.length = from.length;
  }
}

/**
 * The sender of a message or the maker of a connection: struct ucred, and the groups for
 * SO_PEERGROUPS. Immutable.
 */
export class PeerCredentials {
  /** The pid in the process's own PID namespace. */
  readonly pid: number;
  /** The process; null: unknown. */
  readonly id: Pid | null;
  /** Kernel ids. */
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];

  constructor(
    pid: number,
    uid: number,
    gid: number,
    groups: readonly number[],
    id: Pid | null = null,
  ) {
    this.pid = pid;
    this.id = id;
    this.uid = uid;
    this.gid = gid;
    this.groups = groups;
  }

  /** The pid as a process in `space` sees it. */
  pidIn(space: PidSpace): number {
    return this.id === null ? this.pid : this.id.numberIn(space);
  }

  isSame(other: PeerCredentials): boolean {
    return this.pid === other.pid && this.id === other.id && this.uid === other.uid &&
      this.gid === other.gid;
  }
}

/** Credentials of a message that has none (overflowuid). */
export const UNKNOWN_PEER: PeerCredentials = new PeerCredentials(0, 65534, 65534, []);

/**
 * Fields of the packet header that the sender may choose (ip(7), ipv6(7)); -1: the value of the
 * socket.
 */
export class PacketHeader {
  /** TTL of IPv4. */
  ttl: number = -1;
  tos: number = -1;
  /** Hop limit of IPv6. */
  hopLimit: number = -1;
  trafficClass: number = -1;
  /** UDP_SEGMENT: bytes of a segment. */
  segment: number = -1;
  /** The link to leave by, and the source address; 0 and "": not chosen. */
  link: number = 0;
  source: string = "";

  reset(): void {
    this.ttl =
      this.tos =
      this.hopLimit =
      this.trafficClass =
      this.segment =
        -1;
    this.link = 0;
    this.source = "";
  }
}

/** Results for IP_PKTINFO and the like: where a datagram arrived, and fields of its header. */
class PacketInfo {
  /** Interface index; 0: unknown. */
  interfaceIndex: number = 0;
  /** The destination address, 16 bytes, IPv4 ones mapped. */
  readonly to: Uint8Array<ArrayBuffer> = new Uint8Array(16);
  /** TTL or hop limit; TOS or traffic class. */
  hops: number = 0;
  trafficClass: number = 0;
  /** Options of the IPv4 header; null: none. */
  options: Uint8Array<ArrayBuffer> | null = null;
  isValid: boolean = false;
}

/** LIMIT: bytes of control messages of one host socket's message. */
const RAW_CONTROL_BYTES = 4096;

/** Control messages in the form of the host's kernel. */
export class RawControl {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(RAW_CONTROL_BYTES);
  readonly dv: DataView = new DataView(this.u8.buffer);
  length: number = 0;
}

/** The message of one send or receive. */
export class Message {
  /** MSG_* of the caller. */
  flags: number = 0;
  /** MSG_* that recvmsg(2) returns: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB. */
  outFlags: number = 0;
  /** Send: the destination. Receive: the sender's address. */
  readonly name: SocketAddress = new SocketAddress();
  /** Send: the calling task, for path look-ups; null: none. */
  caller: SocketCaller | null = null;
  /** Descriptors in the message; code that takes them out of here owns the references. */
  rights: readonly OpenFile[] | null = null;
  /** Send: those of SCM_CREDENTIALS or the sender's own. Receive: the sender's. */
  credentials: PeerCredentials | null = null;
  /** Send: SCM_CREDENTIALS was given. */
  hasCredentials: boolean = false;
  /** Send: header fields for this packet alone. */
  readonly header: PacketHeader = new PacketHeader();
  readonly packetInfo: PacketInfo = new PacketInfo();
  /** Receive: struct tpacket_auxdata of a packet socket's message. */
  aux: Uint8Array<ArrayBuffer> | null = null;
  /** Receive: bytes of the segments that were joined (UDP_GRO); 0: not joined. */
  segment: number = 0;
  /** Receives from an error queue: struct sock_extended_err and an address. */
  error: Uint8Array<ArrayBuffer> | null = null;
  /** Control messages of a host socket. */
  readonly control: RawControl = new RawControl();
  /** Bytes that a stream delivered in earlier runs of the call; MSG_PEEK begins behind them. */
  skipped: number = 0;
  /**
   * Receive: the next bytes of the stream belong to another message (other credentials, or
   * descriptors), so the call ends here.
   */
  isWhole: boolean = false;
  /** Receive: wall-clock time of arrival, seconds and ns; -1: unknown. */
  timeSec: number = -1;
  timeNsec: number = 0;

  reset(flags: number): void {
    this.flags = flags;
    this.outFlags = 0;
    this.name.length = 0;
    this.caller = null;
    this.rights = null;
    this.credentials = null;
    this.hasCredentials = false;
    this.header.reset();
    this.packetInfo.isValid = false;
    this.aux = null;
    this.segment = 0;
    this.error = null;
    this.control.length = 0;
    this.skipped = 0;
    this.isWhole = false;
    this.timeSec = -1;
  }

  /** Closes the descriptors that are left in the message. */
  dropRights(): void {
    const { rights } = this;
    if (rights === null) return;
    this.rights = null;
    for (const file of rights) file.drop();
  }
}
