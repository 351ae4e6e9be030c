// Which account is served next: by container, control group and user, by weight, and by what each
// was served.

import { TEST_ACCOUNT } from "./core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { FairTurns } from "./fair_turns.ts";
import { LabKernel } from "./testing/task_lab.ts";
import { Container } from "./task/container.ts";
import { changeCredentials } from "./task/change_credentials.ts";
import { moveTask } from "./cgroup/group_set.ts";
import type { Cgroup } from "./cgroup/cgroup.ts";
import type { Task } from "./task/task.ts";
import type { TurnAccount } from "./task/turn_account.ts";

/** Tasks of several accounts that always have work: each piece takes as long as it says. */
class Contest {
  readonly kernel: LabKernel = new LabKernel();
  readonly fair: FairTurns = new FairTurns(this.kernel.clock.accounts);
  readonly servedNs: Map<TurnAccount, number> = new Map();

  task(uid: number, container: Container | null = null): Task {
    const task = this.kernel.start();
    this.kernel.clock.accounts.leave(task);
    task.group.container = container;
    this.kernel.clock.accounts.join(task);
    changeCredentials(task, { ...task.cred, uid });
    return task;
  }

  container(id: string): Container {
    const { kernel } = this, { namespaces } = kernel;
    const { fs } = this.task(0);
    return new Container(id, kernel.pids, fs.namespace, namespaces, kernel.accounts.open());
  }

  want(task: Task): void {
    this.fair.addQueued(task, accountOf(task));
  }

  /** Serves one piece of whose turn it is; that account wants another one at once. */
  serve(nsOf: (account: TurnAccount) => number, wantsMore: boolean = true): TurnAccount {
    const account = this.fair.next(), task = this.fair.takeQueued(account);
    assert(task !== undefined);
    const ns = nsOf(account);
    this.servedNs.set(account, (this.servedNs.get(account) ?? 0) + ns);
    this.fair.served(account, ns);
    if (wantsMore) this.want(task);
    return account;
  }

  shareOf(task: Task): number {
    let all = 0;
    for (const ns of this.servedNs.values()) all += ns;
    return Math.round(100 * (this.servedNs.get(accountOf(task)) ?? 0) / all);
  }
}

function accountOf(task: Task): TurnAccount {
  assert(task.turnAccount !== null);
  return task.turnAccount;
}

function contest(test: (c: Contest) => void): void {
  const c = new Contest();
  test(c);
  c.kernel.close();
}

Deno.test("two users get as much time each, whatever their turns and tasks are", () =>
  contest((c) => {
    const quick = c.task(1), slow = c.task(2);
    c.want(quick);
    for (let i = 0; i < 64; i++) c.want(i === 0 ? slow : c.task(2));
    for (let i = 0; i < 10_000; i++) {
      c.serve((account) => account === quick.turnAccount ? 1000 : 2_000_000);
    }
    assert(Math.abs(c.shareOf(quick) - 50) <= 3, `${c.shareOf(quick)} %`);
  }));

Deno.test("a container of many users takes nothing from a container of one", () =>
  contest((c) => {
    const a = c.container("a"), b = c.container("b"), victim = c.task(1000, a);
    c.want(victim);
    for (let uid = 1; uid <= 50; uid++) c.want(c.task(uid, b));
    for (let i = 0; i < 5000; i++) c.serve(() => 1000);
    assertEquals(c.shareOf(victim), 50);
  }));

Deno.test("containers share turns by weight, from the moment that it changes", () =>
  contest((c) => {
    const a = c.container("a"), b = c.container("b"), one = c.task(0, a), other = c.task(0, b);
    a.turnWeight = 300;
    c.want(one);
    // Tasks and users of its own gain a container nothing.
    c.want(other);
    for (let uid = 1; uid <= 20; uid++) c.want(c.task(uid, b));
    for (let i = 0; i < 4000; i++) c.serve(() => 1000);
    assertEquals(c.shareOf(one), 75);
    b.turnWeight = 300;
    c.servedNs.clear();
    for (let i = 0; i < 4000; i++) c.serve(() => 1000);
    assertEquals(c.shareOf(one), 50);
  }));

Deno.test("a group's weight counts, by its top group", () =>
  contest((c) => {
    const one = c.task(1), other = c.task(2), { root } = one.cgroups.unified.hierarchy;
    const make = (parent: Cgroup, name: string) => {
      const group = parent.makeChild(name, TEST_ACCOUNT);
      assert(typeof group !== "number");
      return group;
    };
    const heavy = make(root, "heavy"), light = make(root, "light"), below = make(light, "below");
    heavy.cpu.weight = 300;
    below.cpu.weight = 10_000;
    moveTask(one, heavy);
    moveTask(other, below);
    c.want(one);
    c.want(other);
    for (let i = 0; i < 4000; i++) c.serve(() => 1000);
    assertEquals(c.shareOf(one), 75);
  }));

Deno.test("an account that was idle is next, but has saved no turns", () =>
  contest((c) => {
    const busy = c.task(1), rare = c.task(2);
    c.want(rare);
    c.serve(() => 1000, false);
    c.want(busy);
    for (let i = 0; i < 1000; i++) c.serve(() => 1_000_000);
    c.want(rare);
    assertEquals(c.serve(() => 1000), rare.turnAccount);
    c.servedNs.clear();
    // It is ahead by no more than the one long turn of the other.
    for (let i = 0; i < 20_000; i++) c.serve(() => 1000);
    assert(Math.abs(c.shareOf(rare) - 50) <= 3, `${c.shareOf(rare)} %`);
  }));

Deno.test("accounts that come and go do not delay one that stays", () =>
  contest((c) => {
    const stays = c.task(1), first = c.task(2), second = c.task(3);
    c.want(stays);
    c.want(first);
    let isFirst = true, served = 0;
    for (let i = 0; i < 3000; i++) {
      const account = c.serve(() => 1000, false);
      if (account === stays.turnAccount) {
        served++;
        c.want(stays);
        continue;
      }
      isFirst = !isFirst;
      c.want(isFirst ? first : second);
    }
    assert(served >= 1000, `${served}`);
  }));

Deno.test("the last task of an account removes it", () =>
  contest((c) => {
    const { accounts } = c.kernel.clock, before = accounts.count, task = c.task(7);
    assertEquals(accounts.count, before + 1);
    c.kernel.call(task, "exit_group", 0);
    assertEquals(accounts.count, before);
    assertEquals(task.turnAccount, null);
  }));
