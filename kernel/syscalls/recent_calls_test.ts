import { assertEquals } from "@std/assert";
import { callCount, noteCall, recentCalls, REPORTED } from "./recent_calls.ts";

Deno.test("the last calls are kept, the latest last", () => {
  const before = callCount();
  for (let i = 0; i < 300; i++) noteCall(i, 39);
  noteCall(7, 1_000_000);
  assertEquals(callCount() - before, 301);
  const lines = recentCalls();
  assertEquals(lines.length, REPORTED);
  assertEquals(lines.slice(-2), ["[299] getpid", "[7] call 1000000"]);
});
