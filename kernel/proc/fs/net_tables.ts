/**
 * The texts of /proc/net: headers are here, rows come from the owner of the sockets
 * (`NetTables.set`). Also the network devices for /proc/net/dev and /sys/class/net.
 */

import { ARPHRD_LOOPBACK, IFF_LOOPBACK, IFF_UP } from "../../../ffi/abi/inet.ts";
import { NO_COUNTERS } from "../../core/link_counters.ts";
import type { NetDevice, NetDevices } from "../../core/net_device.ts";
import type { TextSteps } from "../../fs/generated/stepped_text.ts";
import { counterColumns } from "./link_columns.ts";

/** Makes the rows of one table, each with its newline. */
export interface NetTable {
  rows(): string;
  /** Makes the rows of a long table in steps, header first. */
  begin?(header: string): TextSteps;
}

/** Whole texts of tables, with headers. */
export interface NetTexts {
  /** The text of a table; null: the kernel makes it itself. */
  table(name: string): string | null;
}

/** The loopback device alone, without traffic. */
class LoopbackOnly implements NetDevices {
  list(): readonly NetDevice[] {
    return [{
      name: "lo",
      index: 1,
      mtu: 65536,
      address: "00:00:00:00:00:00",
      broadcast: "00:00:00:00:00:00",
      type: ARPHRD_LOOPBACK,
      flags: IFF_UP | IFF_LOOPBACK,
      txQueueLen: 1000,
      counters: NO_COUNTERS,
    }];
  }
}

const INET4 =
  "local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout";
const INET6 = "local_address                         remote_address                        " +
  "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

/** The first lines of tables. The widths are Linux's: some lines are padded. */
const HEADERS: Readonly<Record<string, string>> = {
  arp: "IP address       HW type     Flags       HW address            Mask     Device\n",
  dev: "Inter-|   Receive                                                |  Transmit\n" +
    " face |bytes    packets errs drop fifo frame compressed multicast" +
    "|bytes    packets errs drop fifo colls carrier compressed\n",
  dev_mcast: "",
  icmp: `  sl  ${INET4} inode ref pointer drops`.padEnd(127) + "\n",
  icmp6: `  sl  ${INET6} ref pointer drops\n`,
  if_inet6: "",
  igmp: "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n",
  igmp6: "",
  ipv6_route: "",
  mcfilter: "Idx Device        MCA        SRC    INC    EXC\n",
  mcfilter6: "Idx Device                Multicast Address                   Source Address    " +
    "INC    EXC\n",
  netlink: "sk               Eth Pid        Groups   " +
    "Rmem     Wmem     Dump  Locks    Drops    Inode\n",
  packet: "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n",
  protocols: "protocol  size sockets  memory press maxhdr  slab module     " +
    "cl co di ac io in de sh ss gs se re bi br ha uh gp em\n",
  raw: `  sl  ${INET4} inode ref pointer drops\n`,
  raw6: `  sl  ${INET6} ref pointer drops\n`,
  route: "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
    .padEnd(127) + "\n",
  sockstat: "",
  sockstat6: "",
  tcp: `  sl  ${INET4} inode`.padEnd(149) + "\n",
  tcp6: `  sl  ${INET6}\n`,
  udp: `   sl  ${INET4} inode ref pointer drops`.padEnd(127) + "\n",
  udp6: `  sl  ${INET6} ref pointer drops\n`,
  udplite: `   sl  ${INET4} inode ref pointer drops`.padEnd(127) + "\n",
  udplite6: `  sl  ${INET6} ref pointer drops\n`,
  unix: "Num       RefCount Protocol Flags    Type St Inode Path\n",
};

/** Tables that exist only if `texts` has them. */
const OTHERS: readonly string[] = ["netstat", "rt6_stats", "snmp", "snmp6"];

/** All tables of one network namespace. */
export class NetTables {
  devices: NetDevices = new LoopbackOnly();
  /** The source that is asked first; null: none. */
  texts: NetTexts | null = null;
  private readonly tables: Map<string, NetTable> = new Map();

  /** Sets the rows of /proc/net/`name`, one of `names`. */
  set(name: string, table: NetTable): void {
    this.tables.set(name, table);
  }

  names(): string[] {
    const { texts } = this, names = Object.keys(HEADERS);
    return texts === null ? names : [...names, ...OTHERS.filter((n) => texts.table(n) !== null)];
  }

  /** The whole text of a table, or an object that makes it in steps. */
  text(name: string): string | TextSteps {
    const text = this.texts?.table(name) ?? null;
    if (text !== null) return text;
    const table = this.tables.get(name);
    if (table?.begin !== undefined) return table.begin(HEADERS[name] ?? "");
    const rows = name === "dev" ? this.deviceRows() : this.tables.get(name)?.rows() ?? "";
    return (HEADERS[name] ?? "") + rows;
  }

  private deviceRows(): string {
    let text = "";
    for (const d of this.devices.list()) {
      text += `${d.name.padStart(6)}: ${counterColumns(d.counters)}\n`;
    }
    return text;
  }
}
