/** A file of control groups as a table has it. */

import type { ChangeSignal } from "./fs/group_node.ts";
import type { Cgroup } from "./cgroup.ts";
import type { View } from "./view.ts";

export interface FileSpec {
  readonly name: string;
  /** Whose file it is: only groups that have the controller have it; 0: all have it. */
  readonly controller: number;
  /** Also at the root of a cgroup namespace it may be written from within. */
  readonly isDelegated?: boolean;
  /** Of version 1: the root does not have it. */
  readonly isBelowRoot?: boolean;
  changes?(group: Cgroup): ChangeSignal;
  /** The text, or -errno; absent: it can only be written. */
  read?(group: Cgroup, view: View): string | number;
  /** 0 or -errno; the text is without blanks around it. */
  write?(group: Cgroup, text: string, view: View): number;
  /** An opener is gone. */
  close?(group: Cgroup, view: View): void;
}
