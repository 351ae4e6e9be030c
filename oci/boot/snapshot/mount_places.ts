/**
 * Mount points that a new copy of a container's tree lacks. Some are made with the container: an
 * archive of it leaves them out (`podman container checkpoint --export`), and the kernel of a
 * snapshot has mounts there already, so it makes none. Neighbours: boot/rootfs/mountpoint.ts,
 * kernel/fs/gofer/reconnect.ts.
 */

import { MS_REMOUNT } from "../../../ffi/abi/mount.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../../ffi/abi/stat.ts";
import { type GoferClient, NOFID } from "../../../gofer/client/gofer_client.ts";
import type { BootSpec, MountSpec } from "../../protocol/boot_spec.ts";
import { parseMountOptions } from "../../protocol/mount_options.ts";

/** Mode of what is made, as at the first start. */
const MODE = 0o755;
/** LIMIT: names of a path; one with more is not made. */
const NAMES_MAX = 48;

/**
 * Makes what is missing. Links are not followed, and errors are left to the reconnection, which
 * reports each file that is gone.
 */
export function makeMountPlaces(gofer: GoferClient, { root, mounts }: BootSpec): void {
  const trees = new Map<string, string | null>();
  trees.set("", root.overlay === "none" ? root.goferAttach : null);
  for (const mount of mounts) {
    const { flags } = parseMountOptions(mount.options);
    if ((flags & MS_REMOUNT) !== 0) continue;
    const place = namesOf(mount.destination);
    const above = place.map((_, i) => place.slice(0, place.length - 1 - i).join("/"));
    const cover = above.find((path) => trees.has(path)) ?? "", tree = trees.get(cover) ?? null;
    if (tree !== null && place.length <= NAMES_MAX) {
      makePlace(gofer, tree, place.slice(namesOf(cover).length), typeOf(gofer, mount));
    }
    trees.set(place.join("/"), mount.type === "gofer" ? mount.goferAttach : null);
  }
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}

/** S_IFDIR, or S_IFREG where a file is mounted on one. */
function typeOf(gofer: GoferClient, { type, goferAttach }: MountSpec): number {
  if (type !== "gofer" || goferAttach === null) return S_IFDIR;
  let found = S_IFDIR;
  withRoot(gofer, goferAttach, (fid) => {
    if (gofer.walkGetattr(fid, NOFID, []) === 1) found = gofer.walk.at(0).mode & S_IFMT;
  });
  return found === S_IFDIR ? S_IFDIR : S_IFREG;
}

function withRoot(gofer: GoferClient, tree: string, use: (fid: number) => void): void {
  const fid = gofer.fids.take();
  if (gofer.attach(fid, tree) < 0) return gofer.fids.release(fid);
  use(fid);
  gofer.clunk(fid);
}

function makePlace(
  gofer: GoferClient,
  tree: string,
  names: readonly string[],
  type: number,
): void {
  withRoot(gofer, tree, (root) => {
    let made = names.length === 0 ? 0 : gofer.walkGetattr(root, NOFID, names);
    while (made >= 0 && made < names.length) {
      const mode = (made === names.length - 1 ? type : S_IFDIR) | MODE;
      if (!makeBelow(gofer, root, names.slice(0, made + 1), mode)) return;
      made++;
    }
  });
}

/** Makes the last one of `names`. */
function makeBelow(
  gofer: GoferClient,
  root: number,
  names: readonly string[],
  mode: number,
): boolean {
  const parents = names.slice(0, -1), name = names.at(-1)!;
  if (parents.length === 0) return gofer.make(root, NOFID, name, mode, 0, 0) >= 0;
  const fid = gofer.fids.take(), walked = gofer.walkGetattr(root, fid, parents);
  const isMade = walked === parents.length && gofer.make(fid, NOFID, name, mode, 0, 0) >= 0;
  if (walked > 0) gofer.clunk(fid);
  else gofer.fids.release(fid);
  return isMade;
}
