/** What happens when a setting of links is written: /proc/sys/net/ipv4/conf and ipv6/conf (ip-sysctl of Linux). */

import { EINVAL, ENOENT } from "../../../ffi/abi/errno.ts";
import { LINK_FIELDS, type LinkFamily } from "../../proc/fs/link_fields.ts";
import type { Link } from "./link.ts";
import type { LinkSettings } from "./link_settings.ts";
import type { LinkTable } from "./link_table.ts";

/** Settings of IPv6 that, written for all, are written for each link and for those to come. */
const SPREAD6: readonly string[] = [
  "addr_gen_mode",
  "disable_ipv6",
  "forwarding",
  "ignore_routes_with_linkdown",
];

/** By the name of the directory: `all`, `default`, or a link's. */
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

/** 0, -ENOENT, -EINVAL */
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
