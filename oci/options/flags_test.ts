import { assertEquals, assertThrows } from "@std/assert";
import { readFlags, refuseRest } from "./flags.ts";
import { UserError } from "../user_error.ts";

const NAMES = { strings: ["root", "tty"], lists: ["env"], booleans: ["rw"] } as const;

Deno.test("options end at the first word that is no option, and at --", () => {
  const flags = readFlags(["--root", "/x", "--rw", "ls", "--rw", "-l"], NAMES);
  assertEquals([flags.string("root"), flags.has("rw")], ["/x", true]);
  assertEquals(flags.rest, ["ls", "--rw", "-l"]);
  assertEquals(readFlags(["--", "--rw"], NAMES).rest, ["--rw"]);
  assertEquals(readFlags(["-", "x"], NAMES).rest, ["-", "x"]);
});

Deno.test("lists collect values; of other options the last one counts", () => {
  const flags = readFlags(["--env", "A=1", "--env=B", "--root=/a", "--root=/b"], NAMES);
  assertEquals(flags.list("env"), ["A=1", "B"]);
  assertEquals(flags.string("root"), "/b");
  assertEquals([flags.string("tty"), flags.has("rw")], [null, false]);
});

Deno.test("values may be empty, and begin with a hyphen behind =", () => {
  assertEquals(readFlags(["--root="], NAMES).string("root"), "");
  assertEquals(readFlags(["--root=-x"], NAMES).string("root"), "-x");
});

Deno.test("mistakes are usage errors that name the option", () => {
  const cases: [string[], string][] = [
    [["--foo"], "there is no option --foo"],
    [["--foo=7"], "there is no option --foo"],
    [["-x"], "there is no option -x"],
    [["-rw"], "there is no option -rw"],
    [["--root"], "--root needs a value"],
    [["--root", "--rw"], "--root needs a value; write --root=--rw if that is it"],
    [["--rw=1"], "--rw takes no value"],
    [["--no-rw"], "there is no option --no-rw"],
    [["--constructor"], "there is no option --constructor"],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => readFlags(args, NAMES), UserError);
    assertEquals([error.message, error.exitCode], [message, 2]);
  }
});

Deno.test("a choice must be a listed one; the first is the default", () => {
  const tty = (...args: string[]) => readFlags(args, NAMES).choice("tty", ["auto", "on", "off"]);
  assertEquals([tty(), tty("--tty", "off")], ["auto", "off"]);
  assertThrows(() => tty("--tty=maybe"), UserError, `--tty is "maybe", expected auto, on, off`);
});

Deno.test("verbs without arguments refuse them", () => {
  refuseRest(readFlags(["--rw"], NAMES));
  assertThrows(() => refuseRest(readFlags(["x"], NAMES)), UserError, `unexpected argument "x"`);
});

Deno.test("Go's style: one hyphen, short names, booleans with a value", () => {
  const names = { ...NAMES, go: { e: "env", r: "root" } };
  const flags = readFlags(["-rw", "-e", "A=-1", "-root", "-", "--env=B", "x", "-rw=no"], names);
  assertEquals([flags.has("rw"), flags.list("env"), flags.string("root")], [true, [
    "A=-1",
    "B",
  ], "-"]);
  assertEquals(flags.rest, ["x", "-rw=no"]);
  assertEquals(readFlags(["--rw=false", "--", "-e"], names).has("rw"), false);
  assertEquals(readFlags(["--rw=false", "--", "-e"], names).rest, ["-e"]);
  assertThrows(() => readFlags(["--rw=maybe"], names), UserError, "expected true or false");
  assertThrows(() => readFlags(["-bogus"], names), UserError, "there is no option -bogus");
  assertThrows(() => readFlags(["-e"], names), UserError, "--env needs a value");
});
