import { assertEquals } from "@std/assert";
import { COUNTER_NAMES, linkCounters, NO_COUNTERS } from "../../core/link_counters.ts";
import { counterColumns } from "./link_columns.ts";

Deno.test("a device without traffic has the columns of Linux", () => {
  const want = "      0       0    0    0    0     0          0         0 " +
    "       0       0    0    0    0     0       0          0";
  assertEquals(counterColumns(NO_COUNTERS), want);
});

Deno.test("columns of /proc/net/dev add up what Linux adds up", () => {
  const counters = linkCounters((i) => i + 1);
  assertEquals(COUNTER_NAMES.length, 24);
  const columns = counterColumns(counters).trim().split(/ +/).map(Number);
  assertEquals(columns, [
    ...[3, 1, 5, 7 + 16, 15, 11 + 12 + 13 + 14, 22, 9],
    ...[4, 2, 6, 8, 19, 10, 18 + 17 + 21 + 20, 23],
  ]);
});
