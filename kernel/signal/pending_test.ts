/** Pending signals: their order, and what a look at them takes. */

import { SI_QUEUE, SI_TIMER } from "../../ffi/abi/siginfo.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { QUEUED_SIGNALS } from "../core/quota.ts";
import type { SignalSource } from "./dequeue.ts";
import { PendingSignals, SigInfo } from "./pending.ts";

/** Counts how often its number is looked at. */
class CountedInfo extends SigInfo {
  looks: number = 0;

  constructor(signo: number, source: SignalSource | null = null) {
    super(signo, source === null ? SI_QUEUE : SI_TIMER);
    this.timer = source;
    Object.defineProperty(this, "signo", {
      get: () => {
        this.looks++;
        return signo;
      },
    });
  }
}

function filled(...numbers: number[]): { pending: PendingSignals; infos: CountedInfo[] } {
  const pending = new PendingSignals(TEST_ACCOUNT);
  const infos = numbers.map((signo) => new CountedInfo(signo));
  for (const info of infos) pending.push(info);
  return { pending, infos };
}

Deno.test("real-time signals are taken in their order, standard ones are held once", () => {
  const before = QUEUED_SIGNALS.countOf(TEST_ACCOUNT);
  const { pending, infos: [first, , , second, other] } = filled(40, 12, 12, 40, 34);
  assertEquals([pending.count, pending.set.has(12)], [4, true]);
  assertEquals(pending.peek(1, 2).map(({ signo }) => signo), [12, 40]);
  assertEquals([pending.take(40), pending.take(40), pending.take(40)], [first, second, null]);
  assertEquals([pending.set.has(40), pending.take(34)], [false, other]);
  assertEquals(pending.peek(0, 9).map(({ signo }) => signo), [12]);
  pending.clear();
  assertEquals([pending.count, pending.set.lo, QUEUED_SIGNALS.countOf(TEST_ACCOUNT)], [
    0,
    0,
    before,
  ]);
});

Deno.test("a signal is pushed and taken without a walk over the others", () => {
  const numbers = Array.from({ length: 3000 }, (_, i) => 34 + i % 30);
  const { pending, infos } = filled(...numbers);
  numbers.forEach((signo, i) => assertEquals(pending.take(signo), infos[i]));
  assertEquals([pending.count, pending.peek(0, 1)], [0, []]);
  const looks = infos.map((info) => info.looks);
  assert(Math.max(...looks) < 10, `${Math.max(...looks)} looks`);
});

Deno.test("discardOf removes the signals of one timer only", () => {
  const timer = { onTaken(): void {} };
  const pending = new PendingSignals(TEST_ACCOUNT);
  const infos = [null, timer, null, timer].map((source) => new CountedInfo(35, source));
  for (const info of infos) pending.push(info);
  pending.discardOf(timer);
  assertEquals(pending.peek(0, 9), [infos[0]!, infos[2]!]);
  pending.push(infos[1]!);
  assertEquals(pending.take(35), infos[0]);
  pending.discardOf(null);
  assertEquals(pending.peek(0, 9), [infos[2]!]);
  pending.discard(35);
  assertEquals([pending.count, pending.set.hi], [0, 0]);
});

Deno.test("one signal may be pending in two processes", () => {
  const info = new SigInfo(29, SI_QUEUE), lists = [0, 1].map(() => filled(40).pending);
  for (const pending of lists) pending.push(info);
  assertEquals(lists.map((pending) => pending.take(29)), [info, info]);
  assertEquals(lists.map(({ count }) => count), [1, 1]);
});
