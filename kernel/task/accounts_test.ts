import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { Account } from "../core/account.ts";
import { DeferredWork } from "../core/deferred_work.ts";
import { MOUNTS, Quota } from "../core/quota.ts";
import { ContainerAccounts, SandboxAccounts } from "./accounts.ts";

/** A kind of its own: what other tests of the process hold does not count. */
const THINGS = new Quota(63, 100, 10);

/** Takes one after the other until there is no room: how many. */
function takeAll(account: Account): number {
  let n = 0;
  while (THINGS.take(1, account)) n++;
  return n;
}

function process(container: ContainerAccounts, uid: number): Account {
  return new Account(container.ofUser(uid), 1);
}

Deno.test("a container has its part of a quota, whatever another one takes", () => {
  const sandbox = new SandboxAccounts(), one = sandbox.open(), other = sandbox.open();
  const greedy = process(one, 0), victim = process(other, 0);
  assertEquals(takeAll(greedy), 50);
  assertEquals(takeAll(victim), 50);
  THINGS.give(50, greedy);
  THINGS.give(50, victim);
  other.close(new DeferredWork());
  assertEquals(takeAll(greedy), 100);
  THINGS.give(100, greedy);
  assertEquals([THINGS.countOf(sandbox.root), sandbox.root.bytes, one.all.bytes], [0, 0, 0]);
});

Deno.test("an ordinary user has half of its container's part, root all that is left", () => {
  const sandbox = new SandboxAccounts(), container = sandbox.open();
  const user = process(container, 1000), second = process(container, 1000);
  const root = process(container, 0);
  assertEquals(takeAll(user), 50);
  assertEquals(takeAll(second), 0, "two processes of one user are one user");
  assertEquals(takeAll(root), 50);
  THINGS.give(50, user);
  assertEquals(takeAll(second), 50);
  THINGS.give(50, second);
  THINGS.give(50, root);
});

Deno.test("a process takes its charges along to another user, and releases them there", () => {
  const sandbox = new SandboxAccounts(), container = sandbox.open();
  const account = process(container, 0), user = container.ofUser(1000);
  THINGS.add(7, account);
  account.moveTo(user);
  assertEquals([container.ofUser(0).bytes, user.bytes, container.all.bytes], [0, 70, 70]);
  assertEquals(container.ofUser(0).members, 0);
  THINGS.give(7, account);
  assertEquals([user.bytes, container.all.bytes], [0, 0]);
  account.close();
  assertEquals(user.isIdle, true);
});

Deno.test("bytes are bounded by the limits of memory, at each level", () => {
  const sandbox = new SandboxAccounts(), container = sandbox.open();
  const account = process(container, 0);
  sandbox.setLimit(200);
  assertEquals(takeAll(account), 20);
  THINGS.give(20, account);
  container.setLimit(190);
  assertEquals(takeAll(account), 9);
  THINGS.give(9, account);
});

Deno.test("neither a container nor an ordinary user takes the bytes of the others", () => {
  const sandbox = new SandboxAccounts(), one = sandbox.open(), other = sandbox.open();
  sandbox.setLimit(400);
  const user = process(one, 1000), root = process(one, 0), victim = process(other, 0);
  assertEquals([takeAll(user), takeAll(root)], [10, 10], "a half of the container's half each");
  assertEquals(takeAll(victim), 20);
  THINGS.give(10, user);
  THINGS.give(10, root);
  other.close(new DeferredWork());
  assertEquals(takeAll(user), 20, "half of all, though the other's objects are still there");
  THINGS.give(20, user);
  THINGS.give(20, victim);
});

Deno.test("users without processes and objects are forgotten", () => {
  const sandbox = new SandboxAccounts(), container = sandbox.open();
  for (let uid = 0; uid < 10_000; uid++) process(container, uid).close();
  const holder = process(container, 70_000);
  THINGS.add(1, holder);
  holder.close();
  for (let uid = 0; uid < 10_000; uid++) process(container, uid).close();
  assertEquals(container.all.members < 200, true);
  assertEquals(container.ofUser(70_000).bytes, 10);
  THINGS.give(1, holder);
});

Deno.test("objects made before any process runs are charged to the sandbox", () => {
  const sandbox = new SandboxAccounts();
  assertEquals(TEST_ACCOUNT, sandbox.root);
  MOUNTS.add(1, sandbox.root);
  assertEquals(sandbox.root.bytes, MOUNTS.bytesEach);
  MOUNTS.give(1, sandbox.root);
});
