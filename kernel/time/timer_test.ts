/** Test of timer.ts. */

import { assertEquals } from "@std/assert";
import { FIRED_A_TURN, Timer, TimerQueue } from "./timer.ts";

class Counted extends Timer {
  private readonly fired: Timer[];

  constructor(fired: Timer[]) {
    super();
    this.fired = fired;
  }
  override onExpire(): void {
    this.fired.push(this);
  }
}

Deno.test("many timers that are due at once fire in pieces, the earliest first", () => {
  const queue = new TimerQueue(), fired: Timer[] = [], count = 2 * FIRED_A_TURN + 10;
  for (let i = 0; i < count; i++) queue.arm(new Counted(fired), (i * 7919) % count);
  const sizes: number[] = [];
  while (queue.size > 0) {
    queue.expire(count);
    sizes.push(fired.length);
  }
  assertEquals(sizes, [FIRED_A_TURN, 2 * FIRED_A_TURN, count]);
  const deadlines = fired.map((timer) => timer.deadlineNs);
  assertEquals(deadlines, deadlines.toSorted((a, b) => a - b));
});
