/**
 * `mount -t cgroup`: a mount of a hierarchy of version 1, a new one or the one that has these
 * controllers.
 *
 * DIFFERS: no devices, net_cls and other controllers; release agents are not run.
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EBUSY, EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import { hasCap } from "../cred/credentials.ts";
import { CgroupView } from "./fs/cgroup_fs.ts";
import { FsType } from "../fs/fs_types.ts";
import type { Caller } from "../vfs/caller.ts";
import type { FileSystem } from "../vfs/inode.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { LEGACY_NAMES, legacyNames } from "./controllers.ts";
import type { Cgroups, Hierarchy } from "./hierarchy.ts";
import { cgroupNamespaceOf } from "./mount_types.ts";

interface Wanted {
  readonly controllers: number;
  readonly name: string;
}

export class CgroupType extends FsType {
  override readonly name = "cgroup";
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  override create(caller: Caller, _source: string, options: string): FileSystem | number {
    if (!hasCap(caller.cred, CAP_SYS_ADMIN)) return -EPERM;
    const ns = cgroupNamespaceOf(this.kernel, caller), { owner } = ns.roots.unified.hierarchy;
    const wanted = parse(options);
    if (typeof wanted === "number") return wanted;
    const hierarchy = find(owner, wanted);
    return typeof hierarchy === "number"
      ? hierarchy
      : new LegacyView(hierarchy, ns.rootIn(hierarchy));
  }
}

/** A mount of version 1; the hierarchy ends with its last mount, unless it has groups. */
export class LegacyView extends CgroupView {
  private readonly hierarchy: Hierarchy;

  constructor(hierarchy: Hierarchy, top: Hierarchy["root"]) {
    super(hierarchy.owner.kernel.vfs.devices, hierarchy.fs, top);
    this.hierarchy = hierarchy;
    hierarchy.views++;
  }

  override destroy(): void {
    const { hierarchy } = this;
    if (--hierarchy.views === 0 && hierarchy.root.children.size === 0) {
      hierarchy.owner.dropLegacy(hierarchy);
    }
  }
}

/** Parses options such as "pids,memory" or "name=x,none"; "" and "all" mean all controllers. */
function parse(options: string): Wanted | number {
  let controllers = 0, name = "", isNone = false, isAll = false;
  for (const option of options.split(",")) {
    const bit = LEGACY_NAMES.get(option);
    if (bit !== undefined) controllers |= bit;
    else if (option === "none") isNone = true;
    else if (option === "all") isAll = true;
    else if (option.startsWith("name=") && /^[\w.-]{1,64}$/.test(option.slice(5))) {
      name = option.slice(5);
    } else if (option !== "" && option !== "xattr") return -EINVAL;
  }
  if ((isAll || isNone) && controllers !== 0) return -EINVAL;
  if (isAll || (controllers === 0 && !isNone && name === "")) {
    for (const bit of LEGACY_NAMES.values()) controllers |= bit;
  }
  return controllers === 0 && name === "" ? -EINVAL : { controllers, name };
}

function find(owner: Cgroups, { controllers, name }: Wanted): Hierarchy | number {
  for (const hierarchy of owner.legacy) {
    const isNamed = name !== "" && hierarchy.name === name;
    if (hierarchy.controllers === controllers && (name === "" || isNamed)) return hierarchy;
    if (isNamed && controllers === 0) return hierarchy;
    if (isNamed || (hierarchy.controllers & controllers) !== 0) return -EBUSY;
  }
  // Controllers that groups of version 2 have stay there.
  if ((owner.unified.root.subtreeControl & controllers) !== 0) return -EBUSY;
  const shown = [legacyNames(controllers), name === "" ? "" : `name=${name}`];
  return owner.addLegacy(controllers, name, shown.filter((text) => text !== "").join(","));
}
