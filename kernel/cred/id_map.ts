/**
 * The text of /proc/PID/uid_map, gid_map and projid_map (user_namespaces(7)): what a reader sees,
 * and which credentials permit which map. The opener of the file counts, and for ids other than its
 * own the writer too: either alone could be a privileged program that an ordinary user led there
 * (CVE-2013-1959).
 */

import { CAP_SETFCAP, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn } from "./credentials.ts";
import { type IdExtent, NO_ID, type UserNamespace } from "./user_namespace.ts";

/** LIMIT: ranges of a map, and bytes of its text. */
const MAX_EXTENTS = 340, MAX_TEXT = 4095;
/** Of setgroups. */
const MAX_WORD = 7;

export type MapKind = "uid" | "gid" | "projid";

/**
 * The map of `ns` as `reader`, the opener's namespace, sees it: ids outside are those of the
 * reader, or of the parent.
 */
export function mapText(ns: UserNamespace, kind: MapKind, reader: UserNamespace): string {
  const outside = reader === ns ? ns.parent ?? ns : reader;
  let text = "";
  for (const { first, lower, count } of mapOf(ns, kind)) {
    text += [first, shownIn(outside, kind, lower), count].map((n) =>
      String(n).padStart(10)
    ).join(" ") + "\n";
  }
  return text;
}

function mapOf(ns: UserNamespace, kind: MapKind): readonly IdExtent[] {
  return kind === "uid" ? ns.uidMap : kind === "gid" ? ns.gidMap : ns.projidMap;
}

function shownIn(ns: UserNamespace, kind: MapKind, kernelId: number): number {
  if (kind === "projid") return ns.projidOf(kernelId);
  return kind === "uid" ? ns.uidOf(kernelId) : ns.gidOf(kernelId);
}

/**
 * Credentials of a write to a map: of the task that opened the file, and of the one that writes.
 */
export interface MapUsers {
  readonly opener: Credentials;
  readonly writer: Credentials;
}

/**
 * A write to a map: bytes taken, or -errno. A map is written once, and all of it, from the start.
 */
export function writeMap(
  ns: UserNamespace,
  kind: MapKind,
  users: MapUsers,
  text: string,
  offset: number,
): number {
  const { parent } = ns, { opener } = users;
  if (parent === null || (opener.userNs !== ns && opener.userNs !== parent)) return -EPERM;
  if (offset !== 0 || text.length > MAX_TEXT) return -EINVAL;
  if (mapOf(ns, kind).length > 0) return -EPERM;
  if (kind !== "projid" && !hasCapIn(opener, ns, CAP_SYS_ADMIN)) return -EPERM;
  const wanted = parseMap(text);
  if (wanted === null) return -EINVAL;
  if (!isPermitted(ns, parent, kind, users, wanted)) return -EPERM;
  const map: IdExtent[] = [];
  for (const { first, lower, count } of wanted) {
    const kernelId = kernelRange(mapOf(parent, kind), lower, count);
    if (kernelId === NO_ID) return -EPERM;
    map.push({ first, lower: kernelId, count });
  }
  if (kind === "uid") ns.uidMap = map;
  else if (kind === "gid") ns.gidMap = map;
  else ns.projidMap = map;
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

/**
 * new_idmap_permitted of Linux. A map of the opener's own id needs no privilege; any other needs
 * CAP_SETUID or CAP_SETGID in the parent, of opener and writer.
 */
function isPermitted(
  ns: UserNamespace,
  parent: UserNamespace,
  kind: MapKind,
  { opener, writer }: MapUsers,
  wanted: readonly IdExtent[],
): boolean {
  // Project ids give no privilege.
  if (kind === "projid") return true;
  if (kind === "uid" && wanted.some((e) => e.lower === 0)) {
    // Root of the parent: its file capabilities could be given away.
    const may = opener.userNs === ns
      ? ns.parentCouldSetfcap
      : hasCapIn(opener, parent, CAP_SETFCAP);
    if (!may) return false;
  }
  const [only] = wanted;
  if (wanted.length === 1 && only !== undefined && only.count === 1) {
    if (ns.ownerUid === opener.euid) {
      if (kind === "uid" && parent.kernelUid(only.lower) === opener.euid) return true;
      const isOwnGid = kind === "gid" && parent.kernelGid(only.lower) === opener.egid;
      if (isOwnGid && !ns.allowsSetgroups) return true;
    }
  }
  const capability = kind === "uid" ? CAP_SETUID : CAP_SETGID;
  return hasCapIn(writer, parent, capability) && hasCapIn(opener, parent, capability);
}

/** Kernel id of a range that lies in one range of the parent's map. */
function kernelRange(map: readonly IdExtent[], first: number, count: number): number {
  for (const e of map) {
    if (first >= e.first && first + count <= e.first + e.count) return e.lower + first - e.first;
  }
  return NO_ID;
}

/**
 * /proc/PID/setgroups: "deny" holds for good, and only before there is a map of groups. Bytes
 * taken, or -errno. Whether the file may be written was decided when it was opened.
 */
export function writeSetgroups(ns: UserNamespace, text: string, offset: number): number {
  if (offset !== 0 || text.length > MAX_WORD) return -EINVAL;
  const word = text.replace(/\s*(\0[^]*)?$/, "");
  if (word === "allow") return ns.allowsSetgroups ? text.length : -EPERM;
  if (word !== "deny") return -EINVAL;
  if (ns.gidMap.length > 0) return -EPERM;
  ns.allowsSetgroups = false;
  return text.length;
}
