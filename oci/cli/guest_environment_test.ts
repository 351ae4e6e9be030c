import { assertEquals, assertThrows } from "@std/assert";
import { guestEnvironment } from "./guest_environment.ts";

const CALLER = ["PATH=/bin", "HOME=/root", "LC_ALL=C", "GITHUB_TOKEN=x", "TERM=xterm", "DEBUG=1"];

function environment(set: string[] = [], unset: string[] = [], passesAll = false): string[] {
  return guestEnvironment({ caller: CALLER, passesAll, set, unset });
}

Deno.test("the list is short, and has no tokens", () => {
  assertEquals(environment(), ["PATH=/bin", "HOME=/root", "LC_ALL=C", "TERM=xterm"]);
  assertEquals(environment([], [], true), CALLER);
});

Deno.test("a name passes the caller's value, if there is one", () => {
  const [DEBUG, NONE] = [environment(["DEBUG"]), environment(["NONE"])];
  assertEquals([DEBUG.includes("DEBUG=1"), NONE], [true, environment()]);
  assertEquals(environment(["DEBUG=2", "PATH=/x=y"]).slice(0, 1), ["PATH=/x=y"]);
  assertEquals(environment(["DEBUG=2"]).at(-1), "DEBUG=2");
  assertEquals(environment(["A="]).at(-1), "A=");
});

Deno.test("--unset removes, also what --env and --env-all give", () => {
  assertEquals(environment(["A=1"], ["A", "PATH"]), ["HOME=/root", "LC_ALL=C", "TERM=xterm"]);
  assertEquals(environment([], ["GITHUB_TOKEN"], true).includes("GITHUB_TOKEN=x"), false);
  assertThrows(() => environment(["=x"]), Error, `--env is "=x", expected NAME=VALUE or NAME`);
  assertThrows(() => environment([], ["A=b"]), Error, `--unset is "A=b", expected NAME`);
});
