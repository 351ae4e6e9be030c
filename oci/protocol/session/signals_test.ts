import { assertEquals } from "@std/assert";
import * as S from "../../../ffi/abi/signal.ts";
import { signalNumber } from "./signals.ts";

Deno.test("signals have the kernel's numbers", () => {
  const named = Object.entries(S).filter(([name, value]) =>
    /^SIG(?!RT)[A-Z0-9]+$/.test(name) && typeof value === "number" && value < S.SIGRTMIN
  );
  assertEquals(named.length >= 33, true);
  for (const [name, value] of named) assertEquals(signalNumber(name), value, name);
  for (let number = 1; number <= S.NSIG; number++) assertEquals(signalNumber(number), number);
});

Deno.test("real-time signals count from those of libc", () => {
  const names = ["SIGRTMIN", "SIGRTMIN+1", "SIGRTMAX-1", "SIGRTMAX"];
  assertEquals(names.map(signalNumber), [34, 35, 63, 64]);
});

Deno.test("all else is no signal", () => {
  const wrong = [
    ..."SIG0 SIG SIGFOO TERM sigterm 9 SIGRTMIN-1 SIGRTMAX+1 SIG_IGN __proto__".split(" "),
    ...[0, 65, -1, 1.5, NaN, "", null, undefined, {}, ["SIGTERM"]],
  ];
  for (const one of wrong) assertEquals(signalNumber(one), null, String(one));
});
