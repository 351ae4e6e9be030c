/**
 * Domains of landlock(7): rights that tasks gave up for good. A domain is one enforced ruleset with
 * the domains around it, and is immutable. landlock/file_access.ts checks rules on files,
 * landlock/calls/net_access.ts rules on ports.
 */

import type { Account } from "../core/account.ts";
import { LANDLOCK_RULES } from "../core/quota.ts";

/** LIMIT: nested domains, as on Linux. */
export const MAX_LAYERS = 16;

/** The object of a rule (an inode), which records that rules exist for it. */
interface Ruled {
  ruleCount: number;
}

/** Rules by their object: LANDLOCK_ACCESS_* bits. They are charged. */
export class RuleTable {
  /** The account that rules are charged to. */
  readonly account: Account;
  readonly files: Map<Ruled, number> = new Map();
  /** Rules by port, in host order. */
  readonly ports: Map<number, number> = new Map();

  constructor(account: Account) {
    this.account = account;
  }

  get size(): number {
    return this.files.size + this.ports.size;
  }

  /** Adds a rule; rules for the same object are combined. False: the quota is exhausted. */
  allowFile(file: Ruled, access: number): boolean {
    const old = this.files.get(file);
    if (old === undefined) {
      if (!LANDLOCK_RULES.take(1, this.account)) return false;
      file.ruleCount++;
    }
    this.files.set(file, (old ?? 0) | access);
    return true;
  }

  allowPort(port: number, access: number): boolean {
    const old = this.ports.get(port);
    if (old === undefined && !LANDLOCK_RULES.take(1, this.account)) return false;
    this.ports.set(port, (old ?? 0) | access);
    return true;
  }

  /** A copy that is charged too, or null. */
  copy(account: Account): RuleTable | null {
    if (!LANDLOCK_RULES.take(this.size, account)) return null;
    const copy = new RuleTable(account);
    for (const [file, access] of this.files) {
      file.ruleCount++;
      copy.files.set(file, access);
    }
    for (const [port, access] of this.ports) copy.ports.set(port, access);
    return copy;
  }

  clear(): void {
    LANDLOCK_RULES.give(this.size, this.account);
    for (const file of this.files.keys()) file.ruleCount--;
    this.files.clear();
    this.ports.clear();
  }
}

/**
 * The rights that a ruleset decides about: LANDLOCK_ACCESS_FS_*, LANDLOCK_ACCESS_NET_*,
 * LANDLOCK_SCOPE_*.
 */
export interface Handled {
  readonly fs: number;
  readonly net: number;
  readonly scoped: number;
}

export class Domain {
  readonly parent: Domain | null;
  /** Number of domains around it. */
  readonly level: number;
  readonly handled: Handled;
  /** The rights that this domain or one around it decides about. */
  readonly all: Handled;
  readonly rules: RuleTable;
  private refs: number = 1;

  constructor(parent: Domain | null, handled: Handled, rules: RuleTable) {
    this.parent = parent?.hold() ?? null;
    this.level = parent === null ? 0 : parent.level + 1;
    this.handled = handled;
    this.rules = rules;
    const around = parent?.all ?? { fs: 0, net: 0, scoped: 0 };
    this.all = {
      fs: around.fs | handled.fs,
      net: around.net | handled.net,
      scoped: around.scoped | handled.scoped,
    };
  }

  /** Adds a reference: of a task in the domain, or of a nested domain. */
  hold(): this {
    this.refs++;
    return this;
  }

  /** Drops a reference. After the last one the rules are released. */
  drop(): void {
    if (--this.refs > 0) return;
    this.rules.clear();
    this.parent?.drop();
  }
}

/**
 * True if a task in `outer` may inspect a task in `inner` (ptrace(2)): the latter must have no
 * right that the former lacks.
 */
export function isWithin(inner: Domain | null, outer: Domain | null): boolean {
  if (outer === null) return true;
  for (let at = inner; at !== null; at = at.parent) if (at === outer) return true;
  return false;
}

/**
 * True if a LANDLOCK_SCOPE_* keeps a task in `client` from reaching one in `server`
 * (domain_is_scoped of Linux).
 */
export function isScoped(client: Domain | null, server: Domain | null, scope: number): boolean {
  if (client === null || (client.all.scoped & scope) === 0) return false;
  const level = server === null ? -1 : server.level;
  let from: Domain | null = client, to = server;
  for (; from !== null && from.level > level; from = from.parent) {
    if ((from.handled.scoped & scope) !== 0) return true;
  }
  while (to !== null && from !== null && to.level > from.level) to = to.parent;
  for (; from !== null; from = from.parent) {
    if ((from.handled.scoped & scope) !== 0) return from !== to;
    to = to === null ? null : to.parent;
  }
  return false;
}
