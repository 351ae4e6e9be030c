/** What /proc/sys/net needs of the caller's network namespace. kernel/net implements it. */

import type { Credentials } from "../../cred/credentials.ts";
import type { LinkFamily } from "./link_fields.ts";
import type { SysctlStore } from "./sysctl_store.ts";

export interface NetSettings {
  /** The namespace has ended; an open file may outlive it. */
  readonly isGone: boolean;
  /** It is the first namespace of the sandbox. */
  readonly isFirst: boolean;
  readonly store: SysctlStore;
  /** Whether these credentials may administrate it. */
  isAdministrator(cred: Credentials): boolean;
  /** The names of its links, by index. */
  links(): ReadonlyMap<number, string>;
  /** A setting of `all`, `default` or a link; null: the link is gone. */
  read(family: LinkFamily, where: string, name: string): number | null;
  /** Write a setting: 0 or -errno. */
  write(family: LinkFamily, where: string, name: string, value: number): number;
}
