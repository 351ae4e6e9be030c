/**
 * The order of turns: the thread that had least is next, also after a sleep, and none waits for
 * ever.
 */

import { assert, assertEquals } from "@std/assert";
import { type Turn, Turns } from "./turns.ts";

const SLICE = 10_000_000;

interface Thread extends Turn {
  readonly name: string;
}

function thread(name: string, hadTicks = 0): Thread {
  return { name, hadTicks, isQueued: false };
}

function filled(...threads: Thread[]): Turns<Thread> {
  const turns = new Turns<Thread>();
  for (const t of threads) turns.push(t);
  return turns;
}

/** Takes the next thread, charges it for its run, and queues it again. */
function runNext(turns: Turns<Thread>, ticks: number): Thread {
  const next = turns.shift();
  assert(next !== null && !next.isQueued);
  next.hadTicks += ticks;
  turns.push(next);
  return next;
}

Deno.test("the thread with least time is next; of equals, the first that came", () => {
  const turns = filled(thread("b", 2), thread("a", 1), thread("c", 2));
  assertEquals([1, 2, 3].map(() => turns.shift()?.name), ["a", "b", "c"]);
  assertEquals(turns.shift(), null);
  assert(turns.isEmpty);
});

Deno.test("threads that compute get equal time", () => {
  const all = Array.from({ length: 7 }, (_, i) => thread(String(i))), turns = filled(...all);
  for (let i = 0; i < 700; i++) runNext(turns, SLICE);
  for (const { hadTicks } of all) assertEquals(hadTicks, 100 * SLICE);
});

Deno.test("a thread that slept runs before those that compute, but not for long", () => {
  const sleeper = thread("sleeper"), turns = filled(thread("a"), thread("b"));
  for (let i = 0; i < 100; i++) runNext(turns, SLICE);
  turns.push(sleeper);
  assertEquals(runNext(turns, 0), sleeper);
  let own = 0;
  for (let i = 0; i < 90; i++) own += Number(runNext(turns, SLICE) === sleeper);
  assert(own >= 30 && own <= 32, String(own));
});

Deno.test("a stream of new threads does not delay a waiting thread", () => {
  const old = thread("old"), turns = filled(old);
  runNext(turns, SLICE);
  for (let i = 0; i < 10; i++) turns.push(thread(`new ${i}`, turns.birthTicks));
  let hadOthers = 0;
  while (turns.shift() !== old) {
    turns.push(thread("another", turns.birthTicks));
    assert(++hadOthers < 50);
  }
});

Deno.test("time that a thread ran while no other waited is not charged", () => {
  const alone = thread("alone", 1e15), turns = filled(thread("new"), alone);
  for (let i = 0; i < 10; i++) runNext(turns, SLICE);
  const own = alone.hadTicks;
  for (let i = 0; i < 10; i++) runNext(turns, SLICE);
  assertEquals(alone.hadTicks - own, 5 * SLICE);
});

Deno.test("a removed thread has no turn", () => {
  const gone = thread("gone"), stays = thread("stays", 1), turns = filled(gone, stays);
  turns.remove(gone);
  turns.remove(gone);
  assertEquals([gone.isQueued, turns.shift(), turns.shift()], [false, stays, null]);
});

Deno.test("a thread that was charged much is passed over for some turns only", () => {
  const turns = new Turns<Turn>();
  const late = { hadTicks: 20_000_000, isQueued: false },
    others = [0, 0, 0].map((hadTicks) => ({ hadTicks, isQueued: false }));
  turns.push(late);
  for (const other of others) turns.push(other);
  let passes = 0;
  for (let next = turns.shift(); next !== late && next !== null; next = turns.shift()) {
    passes++;
    turns.push(next);
  }
  assertEquals(passes, 8);
});
