import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { parseSignal } from "./signal_text.ts";

Deno.test("signals are numbers or names, with and without SIG", () => {
  const cases: [string, number][] = [
    ["9", 9],
    ["KILL", 9],
    ["SIGKILL", 9],
    ["sigterm", 15],
    ["usr1", 10],
    ["RTMIN", 34],
    ["SIGRTMIN+3", 37],
    ["RTMAX-1", 63],
    ["64", 64],
    ["0", 0],
  ];
  for (const [text, signo] of cases) assertEquals(parseSignal(text), signo, text);
});

Deno.test("a text that is no signal is a usage error", () => {
  const texts = [
    "",
    "65",
    "-9",
    "SIG",
    "SIG_IGN",
    "NSIG",
    "RTMIN-1",
    "RTMAX+1",
    "KILL ",
    "9x",
  ];
  for (const text of texts) assertThrows(() => parseSignal(text), UserError, "is no signal");
});
