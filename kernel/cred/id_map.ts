/**
 * The text of /proc/PID/uid_map and gid_map (user_namespaces(7)): what it says to whom, and who may write which map.
 */

import { CAP_SETFCAP, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn } from "./credentials.ts";
import { type IdExtent, NO_ID, type UserNamespace } from "./user_namespace.ts";

/** LIMIT: ranges of a map, and bytes of its text. */
const MAX_EXTENTS = 340, MAX_TEXT = 4095;
/** Of setgroups. */
const MAX_WORD = 7;

export type MapKind = "uid" | "gid";

/** The map of `ns` as somebody of `reader` sees it: ids outside are those of the reader, or of the parent. */
export function mapText(ns: UserNamespace, kind: MapKind, reader: UserNamespace): string {
  const outside = reader === ns ? ns.parent ?? ns : reader;
  let text = "";
  for (const { first, lower, count } of mapOf(ns, kind)) {
    const shown = kind === "uid" ? outside.uidOf(lower) : outside.gidOf(lower);
    text += [first, shown, count].map((n) => String(n).padStart(10)).join(" ") + "\n";
  }
  return text;
}

function mapOf(ns: UserNamespace, kind: MapKind): readonly IdExtent[] {
  return kind === "uid" ? ns.uidMap : ns.gidMap;
}

/** Somebody writes a map: bytes taken, or -errno. A map is written once, and all of it, from the start. */
export function writeMap(
  ns: UserNamespace,
  kind: MapKind,
  writer: Credentials,
  text: string,
  offset: number,
): number {
  const { parent } = ns, from = writer.userNs;
  if (parent === null || (from !== ns && from !== parent)) return -EPERM;
  if (offset !== 0 || text.length > MAX_TEXT) return -EINVAL;
  if (mapOf(ns, kind).length > 0 || !hasCapIn(writer, ns, CAP_SYS_ADMIN)) return -EPERM;
  const wanted = parseMap(text);
  if (wanted === null) return -EINVAL;
  if (!isPermitted(ns, parent, kind, writer, wanted)) return -EPERM;
  const map: IdExtent[] = [];
  for (const { first, lower, count } of wanted) {
    const kernelId = kernelRange(mapOf(parent, kind), lower, count);
    if (kernelId === NO_ID) return -EPERM;
    map.push({ first, lower: kernelId, count });
  }
  if (kind === "uid") ns.uidMap = map;
  else ns.gidMap = map;
  return text.length;
}

/** Ranges with ids of the parent outside; null: the text is none, or ranges overlap. */
function parseMap(text: string): IdExtent[] | null {
  const extents: IdExtent[] = [];
  const end = text.indexOf("\0");
  const lines = (end < 0 ? text : text.slice(0, end)).replace(/\n$/, "");
  for (const line of lines.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line);
    if (match === null) return null;
    const [first, lower, count] = match.slice(1).map(parseU32);
    if (first === undefined || lower === undefined || count === undefined) return null;
    if (count === 0 || first + count > NO_ID || lower + count > NO_ID) return null;
    for (const e of extents) {
      if (overlaps(e.first, e.count, first, count)) return null;
      if (overlaps(e.lower, e.count, lower, count)) return null;
    }
    extents.push({ first, lower, count });
    if (extents.length > MAX_EXTENTS) return null;
  }
  return extents.length === 0 ? null : extents;
}

/** Longer numbers wrap. */
function parseU32(digits: string): number {
  return Number(BigInt.asUintN(32, BigInt(digits)));
}

function overlaps(a: number, aCount: number, b: number, bCount: number): boolean {
  return a < b + bCount && b < a + aCount;
}

/** Whoever may act for all ids of the parent, or maps nobody but itself (new_idmap_permitted). */
function isPermitted(
  ns: UserNamespace,
  parent: UserNamespace,
  kind: MapKind,
  writer: Credentials,
  wanted: readonly IdExtent[],
): boolean {
  if (kind === "uid" && wanted.some((e) => e.lower === 0)) {
    // Root of the parent: its file capabilities could be given away.
    const may = writer.userNs === ns
      ? ns.parentCouldSetfcap
      : hasCapIn(writer, parent, CAP_SETFCAP);
    if (!may) return false;
  }
  const [only] = wanted;
  if (wanted.length === 1 && only !== undefined && only.count === 1) {
    if (ns.ownerUid === writer.euid) {
      if (kind === "uid" && parent.kernelUid(only.lower) === writer.euid) return true;
      const isOwnGid = kind === "gid" && parent.kernelGid(only.lower) === writer.egid;
      if (isOwnGid && !ns.allowsSetgroups) return true;
    }
  }
  return hasCapIn(writer, parent, kind === "uid" ? CAP_SETUID : CAP_SETGID);
}

/** Kernel id of a range that lies in one range of the parent's map. */
function kernelRange(map: readonly IdExtent[], first: number, count: number): number {
  for (const e of map) {
    if (first >= e.first && first + count <= e.first + e.count) return e.lower + first - e.first;
  }
  return NO_ID;
}

/** /proc/PID/setgroups: "deny" holds for good, and only before there is a map of groups. Bytes taken, or -errno. */
export function writeSetgroups(
  ns: UserNamespace,
  writer: Credentials,
  text: string,
  offset: number,
): number {
  if (!hasCapIn(writer, ns, CAP_SYS_ADMIN)) return -EPERM;
  if (offset !== 0 || text.length > MAX_WORD) return -EINVAL;
  const word = text.replace(/\s*(\0[^]*)?$/, "");
  if (word === "allow") return ns.allowsSetgroups ? text.length : -EPERM;
  if (word !== "deny") return -EINVAL;
  if (ns.isInitial || ns.gidMap.length > 0) return -EPERM;
  ns.allowsSetgroups = false;
  return text.length;
}
