/** One file of a control group, as the tables of files describe it. */

import type { ChangeSignal } from "./fs/group_node.ts";
import type { Cgroup } from "./cgroup.ts";
import type { View } from "./view.ts";

export interface FileSpec {
  readonly name: string;
  /** The controller that a group needs to have the file; 0: none. */
  readonly controller: number;
  /** The root of a cgroup namespace may be written from inside the namespace. */
  readonly isDelegated?: boolean;
  /** Version 1: the root group does not have it. */
  readonly isBelowRoot?: boolean;
  changes?(group: Cgroup): ChangeSignal;
  /** Make the text, or -errno; absent: write only. */
  read?(group: Cgroup, view: View): string | number;
  /** 0 or -errno; the text is without surrounding blanks. */
  write?(group: Cgroup, text: string, view: View): number;
  /** An opener has closed the file. */
  close?(group: Cgroup, view: View): void;
}
