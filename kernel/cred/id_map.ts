/**
 * /proc/PID/uid_map, gid_map, projid_map and setgroups (user_namespaces(7)): their text for a
 * reader, and which credentials may write which map. The credentials of the file's opener count,
 * and for ids other than its own those of the writer too: either alone could be a privileged
 * program whose output an ordinary user redirected there (CVE-2013-1959). proc/fs/id_map_files.ts
 * calls this.
 */

import { CAP_SETFCAP, CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn } from "./credentials.ts";
import { type IdExtent, NO_ID, type UserNamespace } from "./user_namespace.ts";

/** LIMIT: ranges of a map, and bytes of its text. */
const MAX_EXTENTS = 340, MAX_TEXT = 4095;
/** The most bytes that are written to setgroups. */
const MAX_WORD = 7;

export type MapKind = "uid" | "gid" | "projid";

/**
 * The map of `ns` as `reader`, the opener's namespace, sees it: the outside ids are those of the
 * reader, or of the parent if that is `ns` itself.
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
 * The credentials of a write to a map: of the task that opened the file, and of the one that
 * writes.
 */
interface MapUsers {
  readonly opener: Credentials;
  readonly writer: Credentials;
}

/** Writes a map: the bytes taken, or -errno. A map is written once, in one write from the start. */
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

/**
 * Parses ranges, whose outside ids are those of the parent; null when the text is malformed or
 * ranges overlap.
 */
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

/** Parses a number; longer ones wrap. */
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
    // Root of the parent: the opener could write file capabilities in its name.
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

/** The first kernel id of a range that lies within one range of the parent's map. */
function kernelRange(map: readonly IdExtent[], first: number, count: number): number {
  for (const e of map) {
    if (first >= e.first && first + count <= e.first + e.count) return e.lower + first - e.first;
  }
  return NO_ID;
}

/**
 * Writes /proc/PID/setgroups: "deny" is final, and only possible before the map of groups is
 * written. The bytes taken, or -errno. The open checked whether the file may be written.
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
