/**
 * The credentials of a task that makes or enters a user namespace: user_namespaces(7),
 * "Capabilities". task/unshare.ts and task/setns.ts call this.
 */

import type { NamespaceCounts } from "./namespace_counts.ts";
import type { Account } from "../core/account.ts";
import { CAP_SETFCAP } from "../../ffi/abi/capability.ts";
import { ENOSPC, EPERM } from "../../ffi/abi/errno.ts";
import { ALL_CAPS, type Credentials, hasOwnCap, NO_CAPS } from "./credentials.ts";
import { USER_NAMESPACE_LEVELS, UserNamespace } from "./user_namespace.ts";

/** `cred` with all capabilities, in `ns` alone. */
export function credentialsIn(cred: Credentials, ns: UserNamespace): Credentials {
  return {
    ...cred,
    userNs: ns,
    effective: ALL_CAPS,
    permitted: ALL_CAPS,
    inheritable: NO_CAPS,
    bounding: ALL_CAPS,
    ambient: NO_CAPS,
    securebits: 0,
  };
}

/**
 * CLONE_NEWUSER: the credentials in a new namespace below that of `cred`. -ENOSPC when there are
 * too many levels or too many namespaces of the caller; -EPERM for a caller in a chroot, or whose
 * own ids are not mapped in its namespace.
 */
export function newUserNamespace(
  cred: Credentials,
  isChrooted: boolean,
  account: Account,
  first: NamespaceCounts,
): Credentials | number {
  const { userNs, euid, egid } = cred;
  if (userNs.level > USER_NAMESPACE_LEVELS) return -ENOSPC;
  if (isChrooted || !userNs.hasUid(euid) || !userNs.hasGid(egid)) return -EPERM;
  const ns = new UserNamespace(userNs, euid, egid, hasOwnCap(cred, CAP_SETFCAP));
  if (ns.countFor(euid, account, first)) return credentialsIn(cred, ns);
  ns.discard();
  return -ENOSPC;
}
