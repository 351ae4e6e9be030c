/**
 * The texts of uname(2) and /proc/version, and the names of each UTS namespace (uts_namespaces(7)).
 */

import { Namespace } from "../cred/namespace.ts";
import type { UserNamespace } from "../cred/user_namespace.ts";

export const UTS_SYSNAME = "Linux", UTS_MACHINE = "x86_64";
export const UTS_RELEASE = "6.12.0-dvisor";
export const UTS_VERSION = "#1 SMP PREEMPT_DYNAMIC dvisor";

export class UtsNamespace extends Namespace {
  override readonly kind = "uts";
  hostname: string;
  domainname: string;

  constructor(owner: UserNamespace, isInitial: boolean, hostname: string, domainname: string) {
    super(owner, isInitial);
    this.hostname = hostname;
    this.domainname = domainname;
  }
}
