/**
 * UDP-Lite (RFC 3828, udplite(7)): UDP with a port space of its own and a checksum that may cover
 * part of the datagram. No bit is lost here, so coverage only decides which receivers take a
 * datagram.
 */

import { EINVAL } from "../../../../ffi/abi/errno.ts";
import {
  IPPROTO_UDPLITE,
  UDPLITE_RECV_CSCOV,
  UDPLITE_SEND_CSCOV,
} from "../../../../ffi/abi/inet.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import type { OptionValue } from "../../socket_options.ts";
import type { InetPorts } from "../ports.ts";
import { isOwnLevel } from "./udp_options.ts";
import { UdpSocket } from "./udp_socket.ts";
import type { Account } from "../../../core/account.ts";
import type { UdpPorts } from "./udp_receivers.ts";

/** The smallest coverage: the header. */
const HEADER_BYTES = 8;
const MAX_COVERAGE = 65535;
const NOT_SET = -1;

export class UdpLiteSocket extends UdpSocket {
  /**
   * Bytes, with the header, that the checksum covers, and that it must cover at a receiver; 0: all.
   */
  private sendCoverage: number = NOT_SET;
  private leastCoverage: number = NOT_SET;

  constructor(account: Account, net: NetNamespace, ports: InetPorts, family: number, uid: number) {
    super(account, net, ports.udpLite, family, uid, IPPROTO_UDPLITE);
  }

  protected override portsIn(all: InetPorts): UdpPorts {
    return all.udpLite;
  }

  protected override takesFrom(sender: UdpSocket, length: number): boolean {
    const whole = HEADER_BYTES + length, least = this.leastCoverage;
    const covered = sender instanceof UdpLiteSocket ? sender.sendCoverage : NOT_SET;
    const isPartial = covered > 0 && covered < whole;
    return !isPartial || least === NOT_SET || (least > 0 && covered >= least);
  }

  override setProtocolOption(level: number, name: number, value: OptionValue): number {
    const isCoverage = name === UDPLITE_SEND_CSCOV || name === UDPLITE_RECV_CSCOV;
    if (!isOwnLevel(level) || !isCoverage) return super.setProtocolOption(level, name, value);
    return value.isInt ? this.setCoverage(name, value.int) : -EINVAL;
  }

  private setCoverage(name: number, wanted: number): number {
    const bytes = wanted === 0 ? 0 : Math.min(Math.max(wanted, HEADER_BYTES), MAX_COVERAGE);
    if (name === UDPLITE_SEND_CSCOV) this.sendCoverage = bytes;
    else this.leastCoverage = bytes;
    return 0;
  }

  override getProtocolOption(level: number, name: number, value: OptionValue): number {
    const isOwn = isOwnLevel(level) && value.length >= 0;
    if (isOwn && name === UDPLITE_SEND_CSCOV) return value.setInt(Math.max(0, this.sendCoverage));
    if (isOwn && name === UDPLITE_RECV_CSCOV) return value.setInt(Math.max(0, this.leastCoverage));
    return super.getProtocolOption(level, name, value);
  }
}
