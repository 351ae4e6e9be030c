/**
 * Groups of sockets that share an address and a port (SO_REUSEPORT of socket(7)), and the program
 * that selects one of them for a packet (SO_ATTACH_REUSEPORT_CBPF).
 */

import type { Account } from "../../core/account.ts";
import { EINVAL, ENOENT, ENOMEM, EPERM } from "../../../ffi/abi/errno.ts";
import { ETH_P_IP, ETH_P_IPV6 } from "../../../ffi/abi/packet.ts";
import { SO_ATTACH_REUSEPORT_CBPF, SOCK_RAW, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { BpfProgram } from "../../bpf/classic_program.ts";
import { runBpf } from "../../bpf/classic_run.ts";
import { FILTER_INSTRUCTIONS } from "../../core/quota.ts";
import { PacketView } from "../filter.ts";
import { readProgram } from "../filter_options.ts";
import type { OptionValue } from "../socket_options.ts";
import { ANY6, isV4 } from "./address.ts";
import type { InetSocket } from "./inet_socket.ts";
import { buildPacket4, buildPacket6, type IpPacket } from "./ip/ip_packet.ts";

const NOTHING = new Uint8Array(0);
const view = new PacketView();

/** The sockets of one address and port, with their program. */
export class ReuseGroup {
  /** The account that the group is charged to. */
  readonly account: Account;
  /** The program selects a socket by its index here. */
  private readonly sockets: InetSocket[] = [];
  private program: BpfProgram | null = null;

  constructor(account: Account) {
    this.account = account;
  }

  get hasProgram(): boolean {
    return this.program !== null;
  }

  join(socket: InetSocket): void {
    this.sockets.push(socket);
    socket.reuse = this;
  }

  /** Removes a socket; the last one takes its index. */
  leave(socket: InetSocket): void {
    const last = this.sockets.pop();
    if (last !== undefined && last !== socket) this.sockets[this.sockets.indexOf(socket)] = last;
    socket.reuse = null;
    if (this.sockets.length === 0) this.setProgram(null);
  }

  /**
   * The socket for a hash, the same for each packet with it; connected sockets are left out; null:
   * none.
   */
  byHash(hash: number): InetSocket | null {
    const { sockets } = this, { length } = sockets;
    for (let i = 0; i < length; i++) {
      const one = sockets[(hash + i) % length]!;
      if (one.remote === null) return one;
    }
    return null;
  }

  /**
   * The socket that the program selects; null: none. The program sees a datagram behind its header,
   * and no bytes of a connection.
   */
  byProgram(packet: IpPacket | null, header: number): InetSocket | null {
    const { program, sockets } = this;
    if (program === null) return null;
    const { host } = sockets[0]!.net;
    if (packet === null) view.plain(host, NOTHING);
    else {
      const isFour = isV4(packet.destination),
        bytes = isFour ? buildPacket4(packet) : buildPacket6(packet);
      view.plain(host, bytes, isFour ? ETH_P_IP : ETH_P_IPV6);
      view.from = bytes.length - packet.payload.length + header;
    }
    return sockets[runBpf(program, 0, view)] ?? null;
  }

  /** False: all programs together would have too many instructions. */
  setProgram(program: BpfProgram | null): boolean {
    if (program !== null && !FILTER_INSTRUCTIONS.take(program.length, this.account)) return false;
    FILTER_INSTRUCTIONS.give(this.program?.length ?? 0, this.account);
    this.program = program;
    return true;
  }
}

/** Makes or joins the group of a socket that is bound now, or listens. */
export function joinReuse(socket: InetSocket): void {
  if (!socket.options.reusePort || socket.reuse !== null) return;
  const { local, family, uid, isV6Only, ports } = socket;
  const friend = ports.at(local.port).find((s) =>
    s.reuse !== null && s.family === family && s.uid === uid &&
    s.local.address === local.address &&
    (local.address !== ANY6 || s.isV6Only === isV6Only)
  );
  (friend?.reuse ?? new ReuseGroup(socket.account)).join(socket);
}

/** SO_ATTACH_REUSEPORT_CBPF, SO_DETACH_REUSEPORT_BPF: 0 or -errno. */
export function setReuseProgram(socket: InetSocket, name: number, value: OptionValue): number {
  const { options } = socket;
  if (name !== SO_ATTACH_REUSEPORT_CBPF) {
    if (!value.isInt) return -EINVAL;
    if (socket.reuse === null) return options.reusePort ? -ENOENT : -EINVAL;
    if (!socket.reuse.hasProgram) return -ENOENT;
    socket.reuse.setProgram(null);
    return 0;
  }
  const program = readProgram(value);
  if (typeof program === "number") return program;
  if (options.isFilterLocked) return -EPERM;
  if (socket.reuse === null) {
    // A socket with an address has its group already, or never gets one.
    const isPlaced = socket.type === SOCK_STREAM
      ? socket.isListening || socket.remote !== null
      : socket.isBound;
    if (isPlaced || !options.reusePort || socket.type === SOCK_RAW) return -EINVAL;
    new ReuseGroup(socket.account).join(socket);
  }
  return socket.reuse?.setProgram(program) ? 0 : -ENOMEM;
}
