/**
 * Limits that the guest of `do` has reached, for the caller: most programs do not say why they were
 * killed, or which bound the errno of a call is about.
 */

import { toText } from "../../../kernel/core/bytes.ts";
import { OverlayFs } from "../../../kernel/fs/overlay/overlay_fs.ts";
import { TmpfsFs } from "../../../kernel/fs/tmpfs/tmpfs.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { LimitNames } from "../../protocol/boot_spec.ts";

export class ReachedLimits {
  readonly #container: Container;
  readonly #names: LimitNames;
  #kills = 0;
  /** The process that was killed last. */
  #victim = "";

  constructor(container: Container, names: LimitNames) {
    this.#container = container;
    this.#names = names;
  }

  /** `victim` is killed because the sandbox has used all of its memory. */
  onOutOfMemory(victim: ThreadGroup): void {
    this.#kills++;
    const pid = victim.id.numberIn(this.#container.pids);
    this.#victim = `process ${pid} (${toText(victim.tasks[0]?.comm ?? "")})`;
  }

  /** A line for each limit. */
  lines(): string[] {
    const { memory, tasks, disk } = this.#names, lines: string[] = [];
    if (this.#kills > 0) {
      const others = this.#kills - 1;
      const killed = others === 0
        ? `${this.#victim} was killed`
        : `${this.#kills} processes were killed, the last one ${this.#victim}`;
      lines.push(`${killed}: the sandbox used more than ${memory}`);
    }
    if (this.#container.ns.cgroup.roots.unified.pids.ownFailures > 0) {
      const all = `the sandbox had as many processes and threads as ${tasks}`;
      lines.push(`a fork or a new thread failed with EAGAIN: ${all}`);
    }
    if (this.#isDiskFull()) {
      lines.push(`a write failed with ENOSPC: the sandbox wrote more than ${disk}`);
    }
    return lines;
  }

  #isDiskFull(): boolean {
    const { fs } = this.#container.mounts.rootPath().mount;
    const upper = fs instanceof OverlayFs ? fs.owned : null;
    return upper instanceof TmpfsFs && upper.refusedWrites > 0;
  }
}
