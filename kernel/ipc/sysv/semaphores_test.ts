import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EAGAIN, EIDRM, ERANGE } from "../../../ffi/abi/errno.ts";
import { IPC_NOWAIT, SEM_UNDO } from "../../../ffi/abi/ipc.ts";
import { IPC_BYTES } from "../../core/quota.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { SemUndoList } from "./sem_undo.ts";
import { PENDING, SemaphoreSet, SemOperations } from "./semaphores.ts";

const clock = { nowSec: (): number => 5, currentPid: (): number => 1 };

function newSet(...values: number[]): SemaphoreSet {
  const set = new SemaphoreSet(TEST_ACCOUNT, clock, 0, values.length, 0o600, rootCredentials());
  set.values.set(values);
  return set;
}
/** [semaphore, operation, flags] each. */
function ops(list: [number, number, number?][], undo: SemUndoList | null = null): SemOperations {
  return new SemOperations(
    list.map(([num, op, flags]) => ({ num, op, flags: flags ?? 0 })),
    undo,
    9,
  );
}

Deno.test("operations happen all or not at all", () => {
  const set = newSet(3, 0);
  assertEquals(set.operate(ops([[0, -2], [1, -1, IPC_NOWAIT]])), -EAGAIN);
  assertEquals(set.operate(ops([[0, 1], [1, 32767], [1, 1]])), -ERANGE);
  assertEquals([...set.values], [3, 0]);
  assertEquals(set.operate(ops([[0, -3], [0, 0], [1, 2]])), 0);
  assertEquals([...set.values], [0, 2]);
  assertEquals([set.pids[0], set.otimeSec], [9, 5]);
});

Deno.test("operations that become possible run in order, waits for zero first", () => {
  const set = newSet(0, 1);
  const two = ops([[0, -2]]), one = ops([[0, -1], [1, -1]]), zero = ops([[1, 0]]);
  const back = ops([[1, 1], [0, -1]]);
  for (const o of [two, one, back, zero]) assertEquals(set.operate(o), PENDING);
  assertEquals([set.waiting(0, false), set.waiting(1, true)], [3, 1]);
  assertEquals(set.operate(ops([[0, 1]])), 0);
  assertEquals([two.status, one.status, zero.status, back.status], [PENDING, 0, 0, PENDING]);
  assertEquals(set.operate(ops([[0, 3]])), 0);
  assertEquals([two.status, back.status, [...set.values]], [0, 0, [0, 1]]);
});

/** Counts how often the set starts to try its operations. */
class CountedOperations extends SemOperations {
  attempts: number = 0;

  constructor(list: [number, number][]) {
    super(list.map(([num, op]) => ({ num, op, flags: 0 })), null, 9);
    const { list: given } = this;
    Object.defineProperty(this, "list", {
      get: () => {
        this.attempts++;
        return given;
      },
    });
  }
}

Deno.test("each waiter is attempted a few times, however many there are", () => {
  const count = 2000, set = newSet(0, 0);
  const stuck = Array.from({ length: count }, () => new CountedOperations([[0, -1], [1, -1]]));
  const takers = Array.from({ length: count }, () => new CountedOperations([[0, -1]]));
  for (const o of [...stuck, ...takers]) assertEquals(set.operate(o), PENDING);
  assertEquals(set.operate(ops([[0, count]])), 0);
  assertEquals(takers.every(({ status }) => status === 0), true);
  assertEquals(stuck.every(({ status }) => status === PENDING), true);
  assertEquals([set.values[0], set.waiting(0, false), set.waiting(1, false)], [0, 0, count]);
  // They wait for the other semaphore now: the value of the first one does not matter.
  assertEquals(set.operate(ops([[0, 1]])), 0);
  assert(Math.max(...[...stuck, ...takers].map(({ attempts }) => attempts)) < 5);
});

Deno.test("an operation that waits for zero runs when a later one makes the value zero", () => {
  const set = newSet(1, 0), lock = ops([[0, 0], [0, 5]]), taker = ops([[1, -1], [0, -1]]);
  for (const o of [lock, taker]) assertEquals(set.operate(o), PENDING);
  assertEquals(set.operate(ops([[1, 1]])), 0);
  assertEquals([lock.status, taker.status, [...set.values]], [0, 0, [5, 0]]);
});

Deno.test("a waiting operation whose result goes out of range fails", () => {
  const set = newSet(0, 0), waiter = ops([[0, 1], [1, -1]]);
  assertEquals(set.operate(waiter), PENDING);
  assertEquals(set.operate(ops([[0, 32767]])), 0);
  assertEquals(waiter.status, -ERANGE);
});

Deno.test("a cancelled operation is never done, a removed set ends all", () => {
  const set = newSet(0), first = ops([[0, -1]]), second = ops([[0, -1]]);
  set.operate(first);
  set.operate(second);
  set.cancel(first);
  assertEquals(set.operate(ops([[0, 1]])), 0);
  assertEquals([first.status, second.status], [PENDING, 0]);
  const third = ops([[0, -1]]);
  set.operate(third);
  set.release();
  assertEquals(third.status, -EIDRM);
});

Deno.test("the last user of an undo list reverts the operations", () => {
  const set = newSet(5, 0), undo = new SemUndoList(TEST_ACCOUNT).hold();
  assertEquals(set.operate(ops([[0, -3, SEM_UNDO], [1, 2, SEM_UNDO]], undo)), 0);
  const waiter = ops([[0, -4]]);
  assertEquals(set.operate(waiter), PENDING);
  undo.drop(7);
  assertEquals([...set.values], [2, 2]);
  undo.drop(7);
  assertEquals([waiter.status, [...set.values]], [0, [1, 0]]);
  assertEquals(set.undos.size, 0);
});

Deno.test("adjustments are forgotten by SETVAL, bounded, and clipped", () => {
  const set = newSet(5), undo = new SemUndoList(TEST_ACCOUNT);
  set.operate(ops([[0, -3, SEM_UNDO]], undo));
  set.set(0, 1, 4);
  undo.drop(7);
  assertEquals(set.values[0], 1);
  const greedy = new SemUndoList(TEST_ACCOUNT);
  assertEquals(set.operate(ops([[0, 30000, SEM_UNDO]], greedy)), 0);
  set.values[0] = 0;
  assertEquals(set.operate(ops([[0, 30000, SEM_UNDO]], greedy)), -ERANGE);
  greedy.drop(7);
  assertEquals(set.values[0], 0);
});

Deno.test("adjustments are charged to their process until they are undone", () => {
  const set = newSet(5, 5), other = newSet(5), undo = new SemUndoList(TEST_ACCOUNT);
  const bytes = () => IPC_BYTES.countOf(TEST_ACCOUNT), before = bytes();
  assertEquals(undo.mayUndo(set), true);
  set.operate(ops([[0, -3, SEM_UNDO]], undo));
  set.operate(ops([[1, -3, SEM_UNDO]], undo));
  const one = bytes() - before;
  assertEquals(one > 8, true);
  other.operate(ops([[0, -3, SEM_UNDO]], undo));
  assertEquals(bytes() - before > one, true);
  other.release();
  assertEquals(bytes() - before, one);
  undo.drop(7);
  assertEquals(bytes(), before);
});
