import { assertEquals } from "@std/assert";
import { CallRecord, REPORTED } from "./call_record.ts";

Deno.test("the last calls are kept, the latest last", () => {
  const calls = new CallRecord(null);
  for (let i = 0; i < 300; i++) calls.note(i, 39);
  calls.note(7, 1_000_000);
  assertEquals(calls.count, 301);
  const lines = calls.lines();
  assertEquals(lines.length, REPORTED);
  assertEquals(lines.slice(-2), ["[299] getpid", "[7] call 1000000"]);
});

Deno.test("a call that is not in the table is new once", () => {
  const calls = new CallRecord(null);
  assertEquals([calls.isFirstUnknown(500), calls.isFirstUnknown(500)], [true, false]);
  assertEquals(calls.isFirstUnknown(501), true);
});
