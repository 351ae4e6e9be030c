/**
 * The rows of /proc/net/igmp, igmp6, mcfilter, mcfilter6 and dev_mcast: multicast groups of links.
 */

import type { NetTable, NetTables } from "./fs/net_tables.ts";
import { isV4 } from "../net/inet/address.ts";
import { groupMac, type LinkGroup } from "../net/link/link_groups.ts";
import type { Link } from "../net/link/link.ts";
import type { NetNamespace } from "../net/net_namespace.ts";

/** Flags of an IPv6 group (MAF_*): loaded, and never reported. */
const LOADED = 4, NO_REPORT = 8;

type RowsOf = (link: Link, groups: readonly LinkGroup[]) => string;

/** The files with rows for the groups of one family. */
const FILES: Readonly<Record<string, { readonly isFour: boolean; readonly rowsOf: RowsOf }>> = {
  igmp: { isFour: true, rowsOf: igmpRows },
  igmp6: { isFour: false, rowsOf: igmp6Rows },
  mcfilter: { isFour: true, rowsOf: filterRows },
  mcfilter6: { isFour: false, rowsOf: filterRows },
};

/** Sets the rows of these tables. */
export function setGroupTables(tables: NetTables, net: NetNamespace): void {
  for (const file of Object.keys(FILES)) tables.set(file, new GroupTable(net, file));
  tables.set("dev_mcast", new DeviceGroupTable(net));
}

/** Rows for each link with groups of one family, the newest group first. */
export class GroupTable implements NetTable {
  private readonly net: NetNamespace;
  /** Of `FILES`. */
  private readonly file: string;

  constructor(net: NetNamespace, file: string) {
    this.net = net;
    this.file = file;
  }

  rows(): string {
    const { isFour, rowsOf } = FILES[this.file]!;
    const all = this.net.links.links.toSorted((a, b) => a.index - b.index);
    return all.map((link) => rowsOf(link, link.groups.list(isFour).reverse())).join("");
  }
}

/** Rows for each link with the addresses that it receives. */
export class DeviceGroupTable implements NetTable {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  rows(): string {
    return this.net.links.links.map(deviceRows).join("");
  }
}

function igmpRows(link: Link, groups: readonly LinkGroup[]): string {
  if (groups.length === 0) return "";
  const count = `${groups.length}`.padStart(5);
  let text = `${link.index}\t${link.name.padEnd(10)}: ${count}      V3\n`;
  for (const { group, users } of groups) {
    const number = hex(Array.from(group.slice(12)).reverse().join("")).toUpperCase();
    text += `\t\t\t\t${number} ${`${users}`.padStart(5)} 0:00000000\t\t0\n`;
  }
  return text;
}

function igmp6Rows(link: Link, groups: readonly LinkGroup[]): string {
  return groups.map(({ group, users }) => {
    const isNodes = group.charCodeAt(15) === 1 && group.slice(2, 15) === "\0".repeat(13);
    const isOwn = isNodes && group[1] === "\x01", isAll = isNodes && group[1] === "\x02";
    const flags = isOwn ? NO_REPORT : isAll ? LOADED | NO_REPORT : LOADED;
    const words = `${`${users}`.padStart(5)} ${flags.toString(16).toUpperCase().padStart(8, "0")}`;
    return `${`${link.index}`.padEnd(4)} ${link.name.padEnd(15)} ${hex(group)} ${words} 0\n`;
  }).join("");
}

/** A row for each source of a filter, with the numbers of sockets that include and exclude it. */
function filterRows(link: Link, groups: readonly LinkGroup[]): string {
  let text = "";
  for (const { group, members } of groups) {
    const sources = new Set(members.flatMap((one) => one.sources ?? []));
    for (const source of sources) {
      const named = members.filter((one) => one.sources?.includes(source));
      const included = named.filter((one) => one.isInclude).length;
      const counts = [included, named.length - included].map((n) => `${n}`.padStart(6)).join(" ");
      const place = `${`${link.index}`.padStart(3)} ${link.name.padStart(6)}`;
      text += isV4(group)
        ? `${place} 0x${hex(group.slice(12))} 0x${hex(source.slice(12))} ${counts}\n`
        : `${place} ${hex(group)} ${hex(source)} ${counts}\n`;
    }
  }
  return text;
}

/** Ethernet addresses that a link receives. */
function deviceRows(link: Link): string {
  if (link.kind === "loopback") return "";
  const counts = new Map<string, number>();
  for (const { group } of [...link.groups.list(false), ...link.groups.list(true)]) {
    // Node-local groups (ff01::/16) need no frames.
    if (group.startsWith("\xff\x01")) continue;
    const mac = groupMac(group);
    counts.set(mac, (counts.get(mac) ?? 0) + 1);
  }
  return [...counts].map(([mac, count]) =>
    `${`${link.index}`.padEnd(4)} ${link.name.padEnd(15)} ${`${count}`.padEnd(5)} 0     ${
      hex(mac)
    }\n`
  ).join("");
}

function hex(bytes: string): string {
  return Array.from(bytes, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}
