/**
 * Serves accounts (task/turn_account.ts) in turn by weight, while several of them have work for the
 * loop. Traps and queued tasks wait in their account; the account with the least service, divided
 * by its weight, is next.
 *
 * Design, and attacks on it: docs/internals/turns.md. Caller: turn_server.ts.
 */

import type { Context } from "../platform/platform.ts";
import type { Task } from "./task/task.ts";
import { TurnAccount, type TurnAccounts, type TurnNode } from "./task/turn_account.ts";

export class FairTurns {
  /** Number of traps and queued tasks that wait. */
  pending: number = 0;
  /** More than one account had work at the same time since `takeMixed`. */
  private isMixed: boolean = false;
  private readonly root: TurnNode;
  /** The account that is being served. */
  private serving: TurnAccount | null = null;

  constructor(accounts: TurnAccounts) {
    this.root = accounts.root;
  }

  takeMixed(): boolean {
    const was = this.isMixed;
    this.isMixed = false;
    return was;
  }

  addTrap(ctx: Context, account: TurnAccount): void {
    if (account.isEmpty) this.begin(account);
    account.traps.push(ctx);
    this.pending++;
  }

  addQueued(task: Task, account: TurnAccount): void {
    if (account.isEmpty) this.begin(account);
    account.queued.push(task);
    this.pending++;
  }

  /** The account to serve next; `pending` must not be 0. */
  next(): TurnAccount {
    let node = this.root;
    while (node.active.length > 0) {
      if (node.active.length > 1) this.isMixed = true;
      const least = leastServed(node.active);
      node.levelNs = least.timeNs;
      node = least;
    }
    this.serving = node as TurnAccount;
    return this.serving;
  }

  /** Takes the next queued task of an account. */
  takeQueued(account: TurnAccount): Task | undefined {
    const task = account.queued.shift();
    if (task !== undefined) this.pending--;
    return task;
  }

  /** Takes the next trap of an account. */
  takeTrap(account: TurnAccount): Context | undefined {
    const ctx = account.traps.shift();
    if (ctx !== undefined) this.pending--;
    return ctx;
  }

  /** A fault interrupted the service of an account. */
  recover(): void {
    if (this.serving !== null) this.served(this.serving, 0);
  }

  /** Queued tasks of all accounts. */
  waitingTasks(): Task[] {
    return this.accounts().flatMap((account) => account.queued.all());
  }

  /** Contexts with a trap that waits in its account. */
  waitingTraps(): Context[] {
    return this.accounts().flatMap((account) => account.traps.all());
  }

  /** Accounts with work. */
  private accounts(): TurnAccount[] {
    const found: TurnAccount[] = [], left: TurnNode[] = [this.root];
    for (let node = left.pop(); node !== undefined; node = left.pop()) {
      for (const below of node.active) left.push(below);
      if (node instanceof TurnAccount) found.push(node);
    }
    return found;
  }

  /** Charges a service of `ns` to `account`. */
  served(account: TurnAccount, ns: number): void {
    this.serving = null;
    let isOver = account.isEmpty;
    for (let node: TurnNode = account; node.parent !== null; node = node.parent) {
      node.timeNs += ns * 100 / node.weight;
      if (!isOver) continue;
      const { active } = node.parent;
      active[active.indexOf(node)] = active[active.length - 1]!;
      active.pop();
      isOver = active.length === 0;
    }
  }

  /** Charges work of the loop to `account`, which may have no work in its own queue. */
  charge(account: TurnAccount, ns: number): void {
    for (let node: TurnNode = account; node.parent !== null; node = node.parent) {
      node.timeNs = Math.max(node.timeNs, node.parent.levelNs) + ns * 100 / node.weight;
    }
  }

  /** Marks an account, and the nodes above it, as having work. */
  private begin(account: TurnAccount): void {
    for (let node: TurnNode = account; node.parent !== null; node = node.parent) {
      const { parent } = node;
      if (node.timeNs < parent.levelNs) node.timeNs = parent.levelNs;
      parent.active.push(node);
      if (parent.active.length > 1) break;
    }
  }
}

function leastServed(nodes: readonly TurnNode[]): TurnNode {
  let least = nodes[0]!;
  for (let i = 1; i < nodes.length; i++) {
    const node = nodes[i]!;
    if (node.timeNs < least.timeNs) least = node;
  }
  return least;
}
