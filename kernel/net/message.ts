/** What socket calls carry besides bytes: addresses, descriptors, credentials, flags. Objects are reused. */

import { SOCKADDR_STORAGE_SIZE } from "../../ffi/abi/socket.ts";
import type { Pid, PidSpace } from "../cred/pid.ts";
import type { Caller } from "../vfs/caller.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** On whose behalf a socket acts: a task. */
export interface SocketCaller extends Caller {
  readonly pid: number;
  /** The process; absent: it has no identity (tests). */
  readonly processId?: Pid;
}

/** A socket address as user memory has it. */
export class SocketAddress {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(SOCKADDR_STORAGE_SIZE);
  readonly dv: DataView = new DataView(this.u8.buffer);
  /** Bytes that count; 0: no address. */
  length: number = 0;

  /** sa_family, or -1 when the address is too short to have one. */
  get family(): number {
    return this.length < 2 ? -1 : this.dv.getUint16(0, true);
  }

  /** All zero but the family. */
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

/** Who sent a message or made a connection: struct ucred and, for SO_PEERGROUPS, the groups. Immutable. */
export class PeerCredentials {
  /** In the sender's own PID namespace. */
  readonly pid: number;
  /** The process; null: nobody's, or unknown. */
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

  /** The process id as somebody of `space` sees it. */
  pidIn(space: PidSpace): number {
    return this.id === null ? this.pid : this.id.numberIn(space);
  }

  isSame(other: PeerCredentials): boolean {
    return this.pid === other.pid && this.id === other.id && this.uid === other.uid &&
      this.gid === other.gid;
  }
}

/** What a message without credentials shows: nobody (overflowuid). */
export const NOBODY: PeerCredentials = new PeerCredentials(0, 65534, 65534, []);

/** What of a packet's header its sender may choose (ip(7), ipv6(7)); -1: what the socket says. */
export class PacketHeader {
  /** Of IPv4. */
  ttl: number = -1;
  tos: number = -1;
  /** Of IPv6. */
  hopLimit: number = -1;
  trafficClass: number = -1;
  /** Of UDP: bytes of a segment. */
  segment: number = -1;
  /** The link that it is to leave by, and its source; 0 and "": none is named. */
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

/** IP_PKTINFO and its like: where a datagram arrived, and what its header said. */
export class PacketInfo {
  /** Interface index; 0: unknown. */
  interfaceIndex: number = 0;
  /** Destination address, 16 bytes, IPv4 ones mapped. */
  readonly to: Uint8Array<ArrayBuffer> = new Uint8Array(16);
  /** TTL or hop limit; TOS or traffic class. */
  hops: number = 0;
  trafficClass: number = 0;
  /** Options of an IPv4 header; null: it had none. */
  options: Uint8Array<ArrayBuffer> | null = null;
  isValid: boolean = false;
}

/** LIMIT: bytes of control messages of one host socket's message. */
const RAW_CONTROL_BYTES = 4096;

/** Control messages as a host socket has them. */
export class RawControl {
  readonly u8: Uint8Array<ArrayBuffer> = new Uint8Array(RAW_CONTROL_BYTES);
  readonly dv: DataView = new DataView(this.u8.buffer);
  length: number = 0;
}

/** One send or receive. */
export class Message {
  /** MSG_* that the caller gave. */
  flags: number = 0;
  /** MSG_* that recvmsg(2) answers: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, MSG_OOB. */
  outFlags: number = 0;
  /** Send: destination. Receive: where the sender's is put. */
  readonly name: SocketAddress = new SocketAddress();
  /** Send: on whose behalf, for looking a destination up; null: there is nobody to ask. */
  caller: SocketCaller | null = null;
  /** Descriptors under way; whoever takes them out of here owns the references. */
  rights: readonly OpenFile[] | null = null;
  /** Send: given by SCM_CREDENTIALS or the sender's own. Receive: of the sender. */
  credentials: PeerCredentials | null = null;
  /** Send: the credentials were given explicitly. */
  hasCredentials: boolean = false;
  /** Send: for this packet alone. */
  readonly header: PacketHeader = new PacketHeader();
  readonly packetInfo: PacketInfo = new PacketInfo();
  /** Receive: struct tpacket_auxdata of a packet socket's message. */
  aux: Uint8Array<ArrayBuffer> | null = null;
  /** Receive: bytes of the segments that it is joined of; 0: it is not. */
  segment: number = 0;
  /** Receive: of a queue of errors, struct sock_extended_err and an address. */
  error: Uint8Array<ArrayBuffer> | null = null;
  /** Of a host socket. */
  readonly control: RawControl = new RawControl();
  /** Bytes that a stream delivered in earlier runs of the call: MSG_PEEK begins behind them. */
  skipped: number = 0;
  /** Receive: a stream's next bytes belong to another message (of other credentials, or behind descriptors). */
  isWhole: boolean = false;
  /** Receive: realtime of arrival, seconds and ns; -1: not known. */
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

  /** Close descriptors that nobody took. */
  dropRights(): void {
    const { rights } = this;
    if (rights === null) return;
    this.rights = null;
    for (const file of rights) file.drop();
  }
}
