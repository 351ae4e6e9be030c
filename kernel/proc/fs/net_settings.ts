/** What /proc/sys/net wants to know of the network namespace of whoever looks. kernel/net implements it. */

import type { Credentials } from "../../cred/credentials.ts";
import type { LinkFamily } from "./link_fields.ts";
import type { SysctlStore } from "./sysctl_store.ts";

export interface NetSettings {
  /** The namespace is gone: an open file outlived it. */
  readonly isGone: boolean;
  /** It is the sandbox's first one. */
  readonly isFirst: boolean;
  readonly store: SysctlStore;
  /** Whether this user administers it. */
  isAdministrator(cred: Credentials): boolean;
  /** Names of its links, by index. */
  links(): ReadonlyMap<number, string>;
  /** A setting of `all`, `default` or a link; null: the link is gone. */
  read(family: LinkFamily, where: string, name: string): number | null;
  /** 0 or -errno. */
  write(family: LinkFamily, where: string, name: string, value: number): number;
}
