import { assertEquals } from "@std/assert";
import { majorOf, minorOf } from "../../ffi/abi/stat.ts";
import { DeviceNumbers } from "./device_numbers.ts";

Deno.test("the minor numbers of major 0, of 20 bits, come again when all were given", () => {
  const numbers = new DeviceNumbers(), first = numbers.next();
  assertEquals([majorOf(first), minorOf(first)], [0, 32]);
  const seen = new Set([first]);
  let next = numbers.next();
  for (; !seen.has(next); next = numbers.next()) seen.add(next);
  assertEquals([next, seen.size], [first, (1 << 20) - 32]);
});
