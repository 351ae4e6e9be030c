/**
 * Settings of links, /proc/sys/net/ipv4/conf and ipv6/conf (ip-sysctl of Linux): their values, and
 * what else changes when one is written.
 */

import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { LINK_FIELDS, type LinkFamily } from "../../proc/fs/link_fields.ts";
import type { Link } from "./link.ts";
import type { LinkTable } from "./link_table.ts";

/** The settings of one link, of all links, or of links to come. */
export class LinkSettings {
  readonly family: LinkFamily;
  private readonly values: Map<string, number> = new Map();
  /** The settings that give the values not set here; null: none. */
  private followed: LinkSettings | null;

  constructor(family: LinkFamily, followed: LinkSettings | null = null) {
    this.family = family;
    this.followed = followed;
  }

  get(name: string): number {
    return this.values.get(name) ?? this.followed?.get(name) ??
      LINK_FIELDS[this.family].get(name)?.value ?? 0;
  }

  set(name: string, value: number): void {
    this.values.set(name, value);
  }

  /** Keeps the present values when the settings that are followed change. */
  settle(): void {
    for (const name of LINK_FIELDS[this.family].keys()) this.values.set(name, this.get(name));
    this.followed = null;
  }

  /** Takes over the values of other settings. */
  copy(from: LinkSettings): void {
    for (const name of LINK_FIELDS[this.family].keys()) this.values.set(name, from.get(name));
  }
}

/** The settings of one address family in a namespace. */
export class FamilySettings {
  readonly family: LinkFamily;
  readonly all: LinkSettings;
  /** The settings of new links. */
  readonly forNew: LinkSettings;

  constructor(family: LinkFamily) {
    this.family = family;
    this.all = new LinkSettings(family);
    this.forNew = new LinkSettings(family);
    for (const [name, { ofAll }] of LINK_FIELDS[family]) {
      if (ofAll !== undefined) this.all.set(name, ofAll);
    }
  }

  /**
   * Settings of a new link. IPv4 follows the settings of new links until the link has an address;
   * IPv6 does not.
   */
  ofLink(isLoopback: boolean, mtu: number): LinkSettings {
    const settings = new LinkSettings(this.family, this.forNew);
    if (isLoopback) {
      for (const [name, { ofLo }] of LINK_FIELDS[this.family]) {
        if (ofLo !== undefined) settings.set(name, ofLo);
      }
    }
    if (this.family === "ipv6") {
      settings.set("mtu", mtu);
      settings.settle();
    }
    return settings;
  }

  /** Takes over the settings of the first namespace. */
  inherit(from: FamilySettings): void {
    this.all.copy(from.all);
    this.forNew.copy(from.forNew);
  }
}

/** The greater value of all links and of this one (IN_DEV_MAXCONF of Linux). */
export function effectiveSetting(all: LinkSettings, one: LinkSettings, name: string): number {
  return Math.max(all.get(name), one.get(name));
}

/** IPv6 settings that, written for all, are written for each link and for new links. */
const SPREAD6: readonly string[] = [
  "addr_gen_mode",
  "disable_ipv6",
  "forwarding",
  "ignore_routes_with_linkdown",
];

/** The settings of a directory: `all`, `default`, or the name of a link. */
export function settingsAt(
  table: LinkTable,
  family: LinkFamily,
  where: string,
): LinkSettings | null {
  const { all, forNew } = table.settings[family];
  if (where === "all") return all;
  if (where === "default") return forNew;
  return table.byName(where)?.settings[family] ?? null;
}

/** Writes a setting: 0, -ENOENT, -EINVAL. */
export function changeSetting(
  table: LinkTable,
  family: LinkFamily,
  where: string,
  name: string,
  value: number,
): number {
  const field = LINK_FIELDS[family].get(name), at = settingsAt(table, family, where);
  if (field === undefined || at === null) return -ENOENT;
  const { all } = table.settings[family], isAll = at === all;
  const link = isAll || where === "default" ? null : table.byName(where);
  const max = link !== null && family === "ipv6" && name === "mtu" ? link.mtu : field.max;
  if (value < field.min || value > max) return -EINVAL;
  const isChanged = at.get(name) !== value;
  put(table, link, at, name, value);
  if (!isAll || !isChanged) return 0;
  if (family === "ipv4" && name === "forwarding") {
    spread(table, family, name, value);
    all.set("accept_redirects", value === 0 ? 1 : 0);
  }
  if (family === "ipv6" && SPREAD6.includes(name)) spread(table, family, name, value);
  return 0;
}

function spread(table: LinkTable, family: LinkFamily, name: string, value: number): void {
  table.settings[family].forNew.set(name, value);
  for (const link of table.links) put(table, link, link.settings[family], name, value);
}

function put(
  table: LinkTable,
  link: Link | null,
  at: LinkSettings,
  name: string,
  value: number,
): void {
  const old = at.get(name);
  at.set(name, value);
  if (link === null || at.family !== "ipv6" || name !== "disable_ipv6") return;
  if ((old === 0) !== (value === 0)) table.onIpv6(link);
}
