/**
 * Fanout groups (PACKET_FANOUT of packet(7)): each frame goes to one packet socket of the group.
 *
 * DIFFERS: all frames are of one CPU and one queue; there are no fragments to reassemble.
 */

import type { Account } from "../../core/account.ts";
import { EALREADY, EINVAL, ENOMEM, ENOSPC, EPERM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/packet.ts";
import type { BpfProgram } from "../../bpf/classic_program.ts";
import { runBpf } from "../../bpf/classic_run.ts";
import { FILTER_INSTRUCTIONS } from "../../core/quota.ts";
import { randomWord } from "../../core/random_word.ts";
import type { PacketView } from "../filter.ts";
import { readProgram } from "../filter_options.ts";
import type { OptionValue } from "../socket_options.ts";
import type { PacketSocket } from "./packet_socket.ts";

/** LIMIT: members of one group, as on Linux; and the default. */
const MEMBERS_MAX = 0x10000, MEMBERS = 256;
const IDS = 0x10000;

/** A fanout group. */
export class Fanout {
  /** The account that the group is charged to. */
  readonly account: Account;
  readonly id: number;
  readonly type: number;
  /** PACKET_FANOUT_FLAG_*. */
  readonly flags: number;
  readonly limit: number;
  readonly members: PacketSocket[] = [];
  private program: BpfProgram | null = null;
  private turn: number = 0;

  constructor(account: Account, id: number, type: number, flags: number, limit: number) {
    this.account = account;
    this.id = id;
    this.type = type;
    this.flags = flags;
    this.limit = limit;
  }

  /** The value of PACKET_FANOUT. */
  get word(): number {
    return this.id | (this.type | this.flags) << 16;
  }
  get rollsOver(): boolean {
    return this.type === P.PACKET_FANOUT_ROLLOVER ||
      (this.flags & P.PACKET_FANOUT_FLAG_ROLLOVER) !== 0;
  }

  /** Removes a member; the last one takes its index. */
  leave(socket: PacketSocket): void {
    const { members } = this, last = members.pop();
    if (last !== undefined && last !== socket) members[members.indexOf(socket)] = last;
    socket.fanout = null;
    if (members.length > 0) return;
    socket.net.taps.fanouts.delete(this.id);
    this.setProgram(null);
  }

  /** False: all programs together would have too many instructions. */
  setProgram(program: BpfProgram | null): boolean {
    if (program !== null && !FILTER_INSTRUCTIONS.take(program.length, this.account)) return false;
    FILTER_INSTRUCTIONS.give(this.program?.length ?? 0, this.account);
    this.program = program;
    return true;
  }

  /** The member that gets a frame; `view` shows it from the Ethernet header on. */
  pick(view: PacketView): PacketSocket {
    const at = this.place(view);
    const chosen = this.members[at]!;
    if (!this.rollsOver) return chosen;
    const isFirst = this.type !== P.PACKET_FANOUT_ROLLOVER;
    return isFirst && chosen.hasRoom(view.length) ? chosen : this.rollOver(chosen, isFirst, view);
  }

  private place(view: PacketView): number {
    const { length } = this.members;
    switch (this.type) {
      case P.PACKET_FANOUT_HASH:
        return flowHash(view) % length;
      case P.PACKET_FANOUT_LB:
        return ++this.turn % length;
      case P.PACKET_FANOUT_RND:
        return randomWord(this.members[0]!.net.host) % length;
      case P.PACKET_FANOUT_CBPF:
        return this.program === null ? 0 : this.verdict(this.program, view) % length;
      default:
        return 0;
    }
  }

  /** Runs the group's program, which sees the packet from the network header on. */
  private verdict(program: BpfProgram, view: PacketView): number {
    const before = view.from;
    if (view.type !== P.PACKET_OUTGOING) view.from = view.network;
    const verdict = runBpf(program, 0, view);
    view.from = before;
    return verdict;
  }

  /** The next member with room, from the place of the last search of `chosen`. */
  private rollOver(chosen: PacketSocket, isPassed: boolean, view: PacketView): PacketSocket {
    const { members } = this, { length } = members, start = Math.min(chosen.rollAt, length - 1);
    for (let i = 0; i < length; i++) {
      const at = (start + i) % length, one = members[at]!;
      if ((isPassed && one === chosen) || !one.hasRoom(view.length)) continue;
      chosen.rollAt = at;
      if (one !== chosen) chosen.rolled++;
      return one;
    }
    chosen.rollsFailed++;
    return chosen;
  }
}

/** PACKET_FANOUT: join a group; the first member makes it. */
export function joinFanout(socket: PacketSocket, value: OptionValue): number {
  const { at, size } = P.FanoutArgs, { dv, length } = value, { fanouts } = socket.net.taps;
  if (length !== 4 && length !== size) return -EINVAL;
  const word = dv.getUint16(at.typeFlags, true), type = word & 0xff;
  let flags = word & 0xff00, id = dv.getUint16(at.id, true);
  const wanted = length === size ? dv.getUint32(at.maxNumMembers, true) : 0;
  if (type > P.PACKET_FANOUT_EBPF) return -EINVAL;
  const rolls = (flags & P.PACKET_FANOUT_FLAG_ROLLOVER) !== 0;
  if (type === P.PACKET_FANOUT_ROLLOVER && rolls) return -EINVAL;
  if (socket.fanout !== null) return -EALREADY;
  if ((flags & P.PACKET_FANOUT_FLAG_UNIQUEID) !== 0) {
    if (id !== 0) return -EINVAL;
    while (fanouts.has(id)) if (++id === IDS) return -ENOMEM;
    flags &= ~P.PACKET_FANOUT_FLAG_UNIQUEID;
  }
  const known = fanouts.get(id);
  if (known === undefined && wanted > MEMBERS_MAX) return -EINVAL;
  if (known !== undefined) {
    if (known.flags !== flags || (wanted !== 0 && wanted !== known.limit)) return -EINVAL;
    if (known.type !== type || !socket.receivesSame(known.members[0]!)) return -EINVAL;
    if (known.members.length >= known.limit) return -ENOSPC;
  }
  if (socket.heardProtocol === 0) return -EINVAL;
  const group = known ?? new Fanout(socket.account, id, type, flags, wanted || MEMBERS);
  fanouts.set(id, group);
  group.members.push(socket);
  socket.fanout = group;
  return 0;
}

/** PACKET_FANOUT_DATA: set the program of the group. DIFFERS: no eBPF programs. */
export function setFanoutData(socket: PacketSocket, value: OptionValue): number {
  if (socket.fanout?.type !== P.PACKET_FANOUT_CBPF) return -EINVAL;
  if (socket.options.isFilterLocked) return -EPERM;
  const program = readProgram(value);
  if (typeof program === "number") return program;
  return socket.fanout.setProgram(program) ? 0 : -ENOMEM;
}

/**
 * A hash of addresses, protocol and ports, as far as the frame has them; the same for both
 * directions of a flow.
 */
function flowHash({ bytes, network, protocol }: PacketView): number {
  const isFour = protocol === P.ETH_P_IP;
  if (!isFour && protocol !== P.ETH_P_IPV6) return 0;
  const source = network + (isFour ? 12 : 8), size = isFour ? 4 : 16;
  const ports = isFour ? network + (bytes[network]! & 15) * 4 : network + 40;
  let hash = bytes[network + (isFour ? 9 : 6)] ?? 0;
  for (let i = 0; i < size; i++) hash = mix(hash, xorBytes(bytes, source + i, source + size + i));
  for (let i = 0; i < 2; i++) hash = mix(hash, xorBytes(bytes, ports + i, ports + 2 + i));
  return (hash ^ hash >>> 15) >>> 0;
}
function xorBytes(bytes: Uint8Array, a: number, b: number): number {
  return (bytes[a] ?? 0) ^ (bytes[b] ?? 0);
}
function mix(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}
