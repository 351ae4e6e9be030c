/**
 * Base class of UNIX sockets (unix(7)): binding, credentials, options. Kinds: stream.ts,
 * seqpacket.ts, dgram.ts.
 */

import type { Account } from "../../core/account.ts";
import {
  EADDRINUSE,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODATA,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  ERANGE,
} from "../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import {
  AF_UNIX,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_PEERCRED,
  SO_PEERGROUPS,
  Ucred,
} from "../../../ffi/abi/socket.ts";
import { S_IFSOCK } from "../../../ffi/abi/stat.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { createNode } from "../../vfs/create.ts";
import { dropPath, holdPath, type Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { BytesCursor } from "../bytes_cursor.ts";
import { keptOrDropped, PacketView } from "../filter.ts";
import { type Message, PeerCredentials, type SocketAddress } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { SocketCaller } from "../message.ts";
import { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import { type AbstractNames, isAbstract, nameOf, putName } from "./unix_names.ts";

export abstract class UnixSocket extends Socket {
  readonly names: AbstractNames;
  /** The socket's name; "": unbound. */
  name: string = "";
  /** The path it is bound to; a reference is held. */
  private boundPath: Path | null = null;
  /** The table of sockets by host file, if the bound file is one of the host; else null. */
  private hostSockets: Map<string, object> | null = null;
  private hostIdentity: string = "";
  /** Credentials of the peer at the time of connect, listen or socketpair. */
  peerCredentials: PeerCredentials | null = null;

  constructor(account: Account, net: NetNamespace, names: AbstractNames, type: number) {
    super(account, net, AF_UNIX, type, 0);
    this.names = names;
  }

  /** The connected socket; null: none. */
  abstract readonly peerSocket: UnixSocket | null;

  override get takesPeekOffset(): boolean {
    return true;
  }
  /** Streams take filters too, but filters never see their bytes (unix_stream_sendmsg of Linux). */
  override get takesFilters(): boolean {
    return true;
  }

  /** Runs the filter of this socket on a message to it: what it keeps, null to drop, or -errno. */
  protected passFilter(io: IoCursor): IoCursor | null | number {
    const { filter } = this.options, length = io.remaining;
    if (filter === null) return io;
    const bytes = new Uint8Array(length), n = io.takeBytes(bytes, 0, length);
    if (n < length) return n < 0 ? n : -EFAULT;
    const kept = keptOrDropped(filter, new PacketView().plain(this.net.host, bytes));
    return kept < 0 ? null : new BytesCursor().set(bytes, kept);
  }

  /** The `hostIdentity` of the file that it is bound to. */
  get fileIdentity(): string {
    return this.boundPath?.dentry.inode?.hostIdentity ?? "";
  }

  /** Whether programs of the host may connect. */
  protected get mayListen(): boolean {
    return false;
  }
  /** Called when the socket is bound to a file. */
  protected onBound(_inode: Inode): void {}

  override bind(caller: SocketCaller, address: SocketAddress): number {
    const name = nameOf(address);
    if (typeof name === "number") return name;
    if (name === "") return this.autobind();
    if (this.name !== "") return -EINVAL;
    if (isAbstract(name)) {
      if (!this.names.take(name, this)) return -EADDRINUSE;
      this.name = name;
      return 0;
    }
    const mode = S_IFSOCK | (this.inode.mode & 0o777);
    const path = createNode(caller, AT_FDCWD, name, mode, 0, this.mayListen);
    if (typeof path === "number") return path === -EEXIST ? -EADDRINUSE : path;
    this.boundPath = holdPath(path);
    const inode = path.dentry.inode!;
    inode.special = this;
    this.name = name;
    this.onBound(inode);
    if (inode.hostIdentity === "") return 0;
    this.hostIdentity = inode.hostIdentity;
    this.hostSockets = caller.fs.namespace.vfs.hostSockets;
    this.hostSockets.set(this.hostIdentity, this);
    return 0;
  }

  /** Chooses a name, unless the socket has one. */
  autobind(): number {
    if (this.name !== "") return 0;
    const name = this.names.chooseFree();
    if (name === null || !this.names.take(name, this)) return -EADDRINUSE;
    this.name = name;
    return 0;
  }

  /** Releases the name; the inode stays and refuses connections. */
  protected unbind(): void {
    if (isAbstract(this.name)) this.names.release(this.name, this);
    if (this.hostSockets?.get(this.hostIdentity) === this) {
      this.hostSockets.delete(this.hostIdentity);
    }
    if (this.boundPath === null) return;
    const inode = this.boundPath.dentry.inode;
    if (inode !== null && inode.special === this) inode.special = null;
    dropPath(this.boundPath);
    this.boundPath = null;
  }

  override localName(out: SocketAddress): number {
    putName(this.name, out);
    return 0;
  }

  override peerName(out: SocketAddress): number {
    const peer = this.peerSocket;
    if (peer === null) return -ENOTCONN;
    putName(peer.name, out);
    return 0;
  }

  /**
   * The credentials that a message to `to` carries: given ones, or the sender's if either socket
   * wants them.
   */
  credentialsFor(message: Message, to: UnixSocket): PeerCredentials | null {
    if (message.hasCredentials) return message.credentials;
    const { caller } = message;
    const isWanted = this.options.wantsSender || to.options.wantsSender;
    if (!isWanted || caller === null) return null;
    const { pid, cred, processId } = caller;
    return new PeerCredentials(pid, cred.uid, cred.gid, [], processId ?? null);
  }

  /** Only SOCK_STREAM has urgent bytes. */
  override get atMark(): number {
    return -EOPNOTSUPP;
  }

  override setProtocolOption(): number {
    return -EOPNOTSUPP;
  }
  override getProtocolOption(): number {
    return -EOPNOTSUPP;
  }

  /** Control messages of other levels are ignored. */
  override takeControl(): number {
    return 0;
  }

  override getFamilyOption(name: number, value: OptionValue): number {
    switch (name) {
      case SO_PEERCRED: {
        const peer = this.peerCredentials ?? NO_PEER, { asker } = value;
        const space = asker?.processId?.space, userNs = asker?.cred.userNs;
        const pid = space === undefined ? peer.pid : peer.pidIn(space);
        value.dv.setInt32(Ucred.at.pid, pid, true);
        value.dv.setUint32(Ucred.at.uid, userNs?.shownUid(peer.uid) ?? peer.uid, true);
        value.dv.setUint32(Ucred.at.gid, userNs?.shownGid(peer.gid) ?? peer.gid, true);
        value.length = Ucred.size;
        return 0;
      }
      case SO_PEERGROUPS: {
        if (this.peerCredentials === null) return -ENODATA;
        const { groups } = this.peerCredentials;
        const room = value.length;
        value.length = groups.length * 4;
        if (room < value.length) return -ERANGE;
        const userNs = value.asker?.cred.userNs;
        groups.forEach((gid, i) => value.dv.setUint32(i * 4, userNs?.shownGid(gid) ?? gid, true));
        return 0;
      }
      default:
        return -ENOPROTOOPT;
    }
  }
}

/** SO_PEERCRED without a peer: pid 0, ids -1. */
const NO_PEER = new PeerCredentials(0, 0xffffffff, 0xffffffff, []);

/** The caller's credentials for SO_PEERCRED: effective ids. */
export function callerCredentials(caller: SocketCaller): PeerCredentials {
  const { pid, cred, processId } = caller;
  return new PeerCredentials(pid, cred.euid, cred.egid, cred.groups, processId ?? null);
}

/** Whether `how` of shutdown(2) closes the reading side. */
export function shutsReading(how: number): boolean {
  return how === SHUT_RD || how === SHUT_RDWR;
}
/** Whether `how` of shutdown(2) closes the writing side. */
export function shutsWriting(how: number): boolean {
  return how === SHUT_WR || how === SHUT_RDWR;
}
