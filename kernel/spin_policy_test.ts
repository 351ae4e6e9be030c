import { assert, assertEquals } from "@std/assert";
import { SpinPolicy } from "./spin_policy.ts";

const SHORT = 5_000, LONG = 500_000, COST = 50_000;

/** A policy for two cores whose guest has made many calls in quick succession. */
function busy(): SpinPolicy {
  const policy = new SpinPolicy(2, COST);
  for (let i = 0; i < 100 && !policy.isApart; i++) policy.slept(SHORT, 1);
  return policy;
}

Deno.test("neither side spins before there are calls in quick succession", () => {
  const policy = new SpinPolicy(2, COST);
  assertEquals([policy.guestNs, policy.loopBudgetNs(1)], [0, 0]);
  for (let i = 0; i < 100; i++) policy.slept(LONG, 1);
  assertEquals([policy.guestNs, policy.loopBudgetNs(1)], [0, 0]);
  for (let i = 0; i < 100 && !policy.isApart; i++) policy.slept(SHORT, 1);
  assert(policy.isApart && policy.guestNs > 0 && policy.loopBudgetNs(1) > 0);
});

Deno.test("the loop spins only while a guest runs, however many do", () => {
  const policy = busy();
  assertEquals(policy.loopBudgetNs(0), 0);
  assert(policy.loopBudgetNs(1) > 0);
  assertEquals(policy.loopBudgetNs(5), policy.loopBudgetNs(1));
});

Deno.test("with one core the threads stay together; more threads than cores may separate", () => {
  const single = new SpinPolicy(1, COST), crowded = new SpinPolicy(2, COST);
  for (let i = 0; i < 100; i++) {
    single.slept(SHORT, 1);
    single.found(10);
    crowded.slept(SHORT, 2);
  }
  assertEquals([single.isApart, crowded.isApart], [false, true]);
});

Deno.test("failed spins bring threads together; one among many successes does not", () => {
  const policy = busy();
  for (let i = 0; i < 100; i++) {
    policy.found(20);
    policy.slept(LONG, 1);
  }
  assert(policy.isApart);
  for (let i = 0; i < 10; i++) policy.slept(LONG, 1);
  assertEquals([policy.isApart, policy.guestNs], [false, 0]);
});

Deno.test("sleeps that the host caused do not bring threads together", () => {
  const policy = busy();
  for (let i = 0; i < 100; i++) policy.slept(SHORT, 1);
  assert(policy.isApart);
  for (let i = 0; i < 100; i++) policy.slept(-1, 1);
  assert(policy.isApart, "nor do those that nothing is known of");
});

Deno.test("a sleep while no guest runs does not count", () => {
  const policy = busy();
  for (let i = 0; i < 100; i++) policy.slept(LONG, 0);
  assert(policy.isApart);
});
