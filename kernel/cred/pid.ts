/**
 * The identity of a task, process, process group or session: a number in its own PID namespace and
 * in each one around it (pid_namespaces(7)). Two identities are equal if they are the same Pid
 * object; a number is only what one namespace shows. task/pid_namespace.ts has the identities of
 * tasks, and the namespaces with their tables.
 */

import { Namespace } from "./namespace.ts";
import type { UserNamespace } from "./user_namespace.ts";

/** LIMIT: as /proc/sys/kernel/pid_max of a 64-bit Linux (PID_MAX_LIMIT). */
export const PID_MAX = 4194304;

/** A PID namespace, as far as the numbers need it. */
export class PidSpace extends Namespace {
  override readonly kind = "pid";
  readonly outer: PidSpace | null;
  /** The distance from the initial one, which is 0. */
  readonly level: number;
  /** /proc/sys/vm/memfd_noexec, as set here or inherited. */
  memfdNoexec: number;

  constructor(outer: PidSpace | null, owner: UserNamespace) {
    super(owner, outer === null);
    this.outer = outer;
    this.memfdNoexec = outer?.memfdScope ?? 0;
    this.level = outer === null ? 0 : outer.level + 1;
    outer?.hold();
  }

  /**
   * The rule for memfds (MEMFD_NOEXEC_SCOPE_*): the strictest of this namespace and those around
   * it.
   */
  get memfdScope(): number {
    return Math.max(this.memfdNoexec, this.outer?.memfdScope ?? 0);
  }

  override get parentNamespace(): Namespace | null {
    return this.outer;
  }

  protected override release(): void {
    this.outer?.drop();
  }

  /** Whether `other` is this namespace or inside it. */
  encloses(other: PidSpace): boolean {
    let space: PidSpace | null = other;
    while (space !== null && space.level > this.level) space = space.outer;
    return space === this;
  }
}

export class Pid<S extends PidSpace = PidSpace> {
  /** The namespace that it was made in. */
  readonly space: S;
  /** Its number in `space`. */
  readonly nr: number;
  /** Its numbers by level of namespace, the initial one first. */
  readonly numbers: readonly number[];

  constructor(space: S, numbers: readonly number[]) {
    this.space = space;
    this.numbers = numbers;
    this.nr = numbers[space.level] ?? 0;
  }

  /** Its number in `space`; 0 when it is not visible there. */
  numberIn(space: PidSpace): number {
    if (space === this.space) return this.nr;
    return space.encloses(this.space) ? this.numbers[space.level] ?? 0 : 0;
  }
}
