/**
 * A seccomp filter of a task: a link in the chain of inherited filters, newest first. All filters
 * decide: the action that comes first in the order of seccomp(2) counts, and of equal ones the
 * newest filter's.
 *
 * A subclass decides: a BPF program (bpf_filter.ts) or the rules of a container (oci_filter.ts). As
 * with Linux's action cache, a call that all filters allow whatever its arguments costs a table
 * look-up.
 */

import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ALLOW, SeccompData } from "../../ffi/abi/seccomp.ts";
import type { Account } from "../core/account.ts";
import { SECCOMP_BYTES } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Notifier } from "./notifier.ts";

/** LIMIT: call numbers that the tables cover; other calls run the filters each time. */
export const CACHED_CALLS = 512;
/**
 * Linux's bound for all filters of a task, in its own instructions, with 4 more for each filter.
 */
const MAX_PATH = 32768, PATH_PENALTY = 4;

/** Approximate size of a filter in the kernel's heap (SECCOMP_BYTES). */
const FILTER_BYTES = 4096, INSTRUCTION_BYTES = 16;

const UNKNOWN = 0, ALLOWED = 1, DECIDE = 2;

/** `struct seccomp_data` as 32-bit words. */
export const DATA_WORDS: number = SeccompData.size / 4;

export abstract class SeccompFilter {
  prev: SeccompFilter | null = null;
  /** The account that the filter is charged to. */
  private readonly account: Account;
  /** Number of filters in the chain from here on. */
  count: number = 1;
  /** Length of the chain in Linux's instructions. */
  private pathLength: number = 0;
  /** SECCOMP_FILTER_FLAG_LOG. */
  isLogging: boolean = false;
  /** SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV. */
  isKillableOnly: boolean = false;
  /** The listener's state; null: none was requested, or it was closed. */
  notifier: Notifier | null = null;
  /** Number of tasks and later filters that use it; at 0 its listener gets a hang-up. */
  users: number = 0;
  /** Wakes the listener, which may outlive the notifier. */
  readonly events: WaitQueue = new WaitQueue();
  /** Made when a task whose newest filter it is makes its first call. */
  private table: Uint8Array | null = null;

  /** Its size in Linux's instructions. */
  abstract readonly linuxLength: number;
  /** The verdict (SECCOMP_RET_*, unsigned) for a struct seccomp_data. */
  abstract decide(data: Uint32Array): number;
  /**
   * True if a native call of this number (below CACHED_CALLS) is SECCOMP_RET_ALLOW whatever its
   * arguments.
   */
  abstract alwaysAllows(nr: number): boolean;
  /** The program, as struct sock_filter[]; null: the filter is no program. */
  abstract readonly source: Uint8Array<ArrayBuffer> | null;

  constructor(account: Account) {
    this.account = account;
  }

  /** True if the whole chain allows this call whatever its arguments. HOT */
  passes(nr: number): boolean {
    if (nr < 0 || nr >= CACHED_CALLS) return false;
    const { table } = this, known = table === null ? UNKNOWN : table[nr]!;
    return known === UNKNOWN ? this.learn(nr) : known === ALLOWED;
  }

  private learn(nr: number): boolean {
    // A loop, not recursion: chains are long when programs stack thousands of small filters.
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

  /** Appends the filter to a chain: false if the chain would be too long. */
  follow(prev: SeccompFilter | null): boolean {
    this.prev = prev;
    this.count = (prev?.count ?? 0) + 1;
    this.pathLength = this.linuxLength + (prev === null ? 0 : prev.pathLength + PATH_PENALTY);
    return this.pathLength <= MAX_PATH;
  }

  /** True if `other` is this filter or an older one of its chain. Null is older than all. */
  descendsFrom(other: SeccompFilter | null): boolean {
    if (other === null || other === this) return true;
    for (let f = this.prev; f !== null; f = f.prev) if (f === other) return true;
    return false;
  }

  /** Adds a user: a task, or a later filter. */
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

  /**
   * Charges the filter; false: the filters of its account would take too much of the kernel's
   * memory.
   */
  claim(): boolean {
    return SECCOMP_BYTES.take(this.bytes, this.account);
  }

  /** Approximate bytes of the filter, tables included. */
  private get bytes(): number {
    return FILTER_BYTES + this.linuxLength * INSTRUCTION_BYTES;
  }
}

/** The decision of a chain. */
export class Decision {
  /** SECCOMP_RET_*, unsigned. */
  verdict: number = SECCOMP_RET_ALLOW;
  /** The filter whose verdict it is; null: all filters allow the call. */
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
