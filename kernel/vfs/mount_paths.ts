/**
 * The paths of the mounts of a namespace, as the reader of a list of them sees them
 * (proc_pid_mountinfo(5)). The path of a parent and the master of a peer group are kept, so that a
 * list takes time in proportion to its length. One object serves one list; mount_info.ts and
 * statmount(2) call it.
 */

import type { Mount, Path } from "./dentry.ts";
import type { PeerGroup } from "./propagation.ts";

export class MountPaths {
  private readonly root: Path;
  private readonly texts: Map<Mount, string | null> = new Map();
  private readonly masters: Map<PeerGroup, PeerGroup | null> = new Map();

  /** @param root the reader's root directory */
  constructor(root: Path) {
    this.root = root;
  }

  /** The path of a mount's root; null when it cannot be seen. */
  pathOf(mount: Mount): string | null {
    const way: Mount[] = [];
    let text: string | null | undefined;
    for (let m: Mount | null = mount; text === undefined; m = m.parent) {
      if (m === null) {
        text = null;
        break;
      }
      text = this.texts.get(m);
      if (text === undefined && m === this.root.mount && m.root === this.root.dentry) {
        text = "";
        this.texts.set(m, text);
      } else if (text === undefined) way.push(m);
    }
    for (let m = way.pop(); m !== undefined; m = way.pop()) {
      text = this.pathBelow(m, text);
      this.texts.set(m, text);
    }
    return text === "" ? "/" : text;
  }

  /** The path of a mount. @param above the path of its parent's root */
  private pathBelow(mount: Mount, above: string | null): string | null {
    const { parent, mountpoint } = mount;
    if (parent === null || mountpoint === null) return null;
    let text = "";
    for (let dentry = mountpoint; dentry !== parent.root; dentry = dentry.parent) {
      if (parent === this.root.mount && dentry === this.root.dentry) return text;
      if (dentry.isRoot) return null;
      text = `/${dentry.name}${text}`;
    }
    return above === null ? null : above + text;
  }

  /**
   * The nearest peer group that the mount is a slave of, directly or through others, and of which
   * the reader can reach a member ("propagate_from").
   */
  masterOf(mount: Mount): PeerGroup | null {
    const way: PeerGroup[] = [];
    let group = mount.master, seen: PeerGroup | null = null;
    while (group !== null && seen === null) {
      const known = this.masters.get(group);
      if (known !== undefined) {
        seen = known;
        break;
      }
      way.push(group);
      let next: PeerGroup | null = null;
      for (const member of group.members) {
        if (member.namespace === mount.namespace && this.pathOf(member) !== null) {
          seen = group;
          break;
        }
        next = member.master;
      }
      group = next;
    }
    for (const passed of way) this.masters.set(passed, seen);
    return seen;
  }
}
