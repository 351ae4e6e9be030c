/**
 * A seccomp filter as a task has it: a link of the chain that its forefathers' filters form, newest first. All must agree:
 * the action that comes first in the order of seccomp(2) counts, and of equal ones the newest filter's.
 *
 * What decides is a subclass: a BPF program (bpf_filter.ts) or the rules of a container (oci_filter.ts). Like Linux's action
 * cache: a call that all filters let pass whatever its arguments are costs a look into a table.
 */

import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SeccompData } from "../../ffi/abi/seccomp.ts";
import { type Account, ACCOUNTING } from "../core/account.ts";
import { SECCOMP_BYTES } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Notifier } from "./notifier.ts";

/** LIMIT: numbers of calls that the tables cover; others are decided each time. */
export const CACHED_CALLS = 512;
/** Linux's bound for the filters of a task together, in its own instructions, 4 more a filter. */
const MAX_PATH = 32768, PATH_PENALTY = 4;

/** What a filter takes of the kernel's heap (SECCOMP_BYTES). */
const FILTER_BYTES = 4096, INSTRUCTION_BYTES = 16;

const UNKNOWN = 0, ALLOWED = 1, DECIDE = 2;

/** `struct seccomp_data` as 32-bit words. */
export const DATA_WORDS: number = SeccompData.size / 4;

export abstract class SeccompFilter {
  prev: SeccompFilter | null = null;
  /** What it is charged to. */
  private readonly account: Account = ACCOUNTING.current;
  /** Filters of the chain from here on. */
  count: number = 1;
  /** Of the chain, in Linux's instructions. */
  private pathLength: number = 0;
  /** SECCOMP_FILTER_FLAG_LOG. */
  isLogging: boolean = false;
  /** SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV. */
  isKillableOnly: boolean = false;
  /** The listener's side; null: none was asked for, or it was closed. */
  notifier: Notifier | null = null;
  /** Tasks and later filters that use it; at 0 its listener hears a hang-up. */
  users: number = 0;
  /** Woken for the listener, which may outlive the notifier. */
  readonly events: WaitQueue = new WaitQueue();
  /** Made when the first call is looked at by a task whose newest filter it is. */
  private table: Uint8Array | null = null;

  /** Its size in Linux's instructions. */
  abstract readonly linuxLength: number;
  /** The verdict (SECCOMP_RET_*, unsigned) for a struct seccomp_data. */
  abstract decide(data: Uint32Array): number;
  /** SECCOMP_RET_ALLOW for a native call of this number (below CACHED_CALLS), whatever its arguments. */
  abstract alwaysAllows(nr: number): boolean;
  /** The program, as struct sock_filter[]; null: it was not made of one. */
  abstract readonly source: Uint8Array<ArrayBuffer> | null;

  /** Does the whole chain let this call pass without a look at its arguments? HOT */
  passes(nr: number): boolean {
    if (nr < 0 || nr >= CACHED_CALLS) return false;
    const { table } = this, known = table === null ? UNKNOWN : table[nr]!;
    return known === UNKNOWN ? this.learn(nr) : known === ALLOWED;
  }

  private learn(nr: number): boolean {
    // Not by recursion: chains are long when programs stack thousands of small filters.
    let isAllowed = this.alwaysAllows(nr);
    for (let f = this.prev; f !== null && isAllowed; f = f.prev) {
      const known = f.table?.[nr] ?? UNKNOWN;
      if (known !== UNKNOWN) {
        isAllowed = known === ALLOWED;
        break;
      }
      isAllowed = f.alwaysAllows(nr);
    }
    (this.table ??= new Uint8Array(CACHED_CALLS))[nr] = isAllowed ? ALLOWED : DECIDE;
    return isAllowed;
  }

  /** Becomes the newest of a chain: false if that would be too long. */
  follow(prev: SeccompFilter | null): boolean {
    this.prev = prev;
    this.count = (prev?.count ?? 0) + 1;
    this.pathLength = this.linuxLength + (prev === null ? 0 : prev.pathLength + PATH_PENALTY);
    return this.pathLength <= MAX_PATH;
  }

  /** Is `other` this filter or one that came before it? Null is before all. */
  descendsFrom(other: SeccompFilter | null): boolean {
    if (other === null || other === this) return true;
    for (let f = this.prev; f !== null; f = f.prev) if (f === other) return true;
    return false;
  }

  /** One more task, or later filter. */
  hold(): this {
    this.users++;
    return this;
  }

  drop(): void {
    if (--this.users > 0) return;
    this.retire();
    for (let f = this.prev; f !== null && --f.users === 0; f = f.prev) f.retire();
  }

  private retire(): void {
    SECCOMP_BYTES.give(this.bytes, this.account);
    this.events.wake(0);
  }

  /** Charges it; false: the filters of its account would take too much of the kernel's memory. */
  claim(): boolean {
    return SECCOMP_BYTES.take(this.bytes, this.account);
  }

  /** About what it takes of memory, tables included. */
  private get bytes(): number {
    return FILTER_BYTES + this.linuxLength * INSTRUCTION_BYTES;
  }
}

/** What the chain says. */
export class Decision {
  /** SECCOMP_RET_*, unsigned. */
  verdict: number = SECCOMP_RET_ALLOW;
  /** The filter whose verdict it is; null: all allow. */
  filter: SeccompFilter | null = null;

  of(chain: SeccompFilter, data: Uint32Array): void {
    this.verdict = SECCOMP_RET_ALLOW;
    this.filter = null;
    let best = rank(SECCOMP_RET_ALLOW);
    for (let f: SeccompFilter | null = chain; f !== null; f = f.prev) {
      const verdict = f.decide(data), order = rank(verdict);
      if (order >= best) continue;
      best = order;
      this.verdict = verdict;
      this.filter = f;
    }
  }
}

/** Actions are compared as signed numbers: KILL_PROCESS is the lowest. */
function rank(verdict: number): number {
  return verdict & SECCOMP_RET_ACTION_FULL;
}
