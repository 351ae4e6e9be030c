import { assertEquals } from "@std/assert";
import { allFlagsOf, assembleCallFilter, noFlagsBut, oneOf } from "./call_filter.ts";
import { verdict } from "./call_filter_testing.ts";

const CALL = 40, OTHER = 41, NEVER = 42;

Deno.test("a call passes by any of its rules, and a rule by all of its tests", () => {
  const filter = assembleCallFilter([
    { nr: CALL, reason: "one", tests: [oneOf(0, 1, 2), oneOf(5, 7)] },
    { nr: OTHER, reason: "with anything" },
    { nr: CALL, reason: "two", tests: [oneOf(0, 3)] },
  ]);
  const may = (first: number, last: number) => verdict(filter, CALL, first, 0, 0, 0, 0, last);
  assertEquals([may(1, 7), may(2, 7), may(1, 8), may(4, 7)], [true, true, false, false]);
  assertEquals([may(3, 7), may(3, 0)], [true, true], "the later rule");
  assertEquals(verdict(filter, OTHER, 99), true);
  assertEquals(verdict(filter, NEVER), false);
});

Deno.test("flags are those that are allowed, and none that is needed is missing", () => {
  const tests = [allFlagsOf(1, 0x10), noFlagsBut(1, 0x13)];
  const filter = assembleCallFilter([{ nr: CALL, reason: "flags", tests }]);
  for (let flags = 0; flags < 0x40; flags++) {
    const isRight = (flags & 0x10) !== 0 && (flags & ~0x13) === 0;
    assertEquals(verdict(filter, CALL, 0, flags), isRight, `${flags}`);
  }
  assertEquals(verdict(filter, CALL, 0, 0x80000010), false, "the sign");
});

Deno.test("an empty list, a call of x32, a call with an errno of its own: refused", () => {
  assertEquals(verdict(assembleCallFilter([]), CALL), false);
  const filter = assembleCallFilter([{ nr: CALL, reason: "refused", errno: 38 }]);
  assertEquals(verdict(filter, CALL), false);
  const open = assembleCallFilter([{ nr: CALL, reason: "open" }]);
  assertEquals([verdict(open, CALL), verdict(open, CALL | 0x40000000)], [true, false]);
});
