import { assertEquals, assertThrows } from "@std/assert";
import { type OptionSyntax, readFlags, withValues } from "./flags.ts";
import { UserError } from "../user_error.ts";

const OPTIONS = {
  root: { short: "r", value: "DIR", help: "" },
  tty: { choices: ["auto", "on", "off"], default: "auto", help: "" },
  env: { short: "e", value: "NAME=VALUE", repeats: true, help: "" },
  rw: { help: "" },
} as const;
const read = (args: string[], syntax: Omit<OptionSyntax, "options"> = {}) =>
  readFlags(args, { options: OPTIONS, ...syntax });
const rest = (args: string[], syntax: Omit<OptionSyntax, "options"> = {}) =>
  read(args, syntax).rest;

Deno.test("options end at the first word that is no option, and at --", () => {
  const flags = read(["--root", "/x", "--rw", "ls", "--rw", "-l"]);
  assertEquals([flags.options.root, flags.options.rw], ["/x", true]);
  assertEquals(flags.rest, ["ls", "--rw", "-l"]);
  assertEquals(rest(["--", "--rw"]), ["--rw"]);
  assertEquals(rest(["-", "x"]), ["-", "x"]);
});

Deno.test("lists collect values; of other options the last one counts", () => {
  const { options, given } = read(["--env", "A=1", "--env=B", "--root=/a", "--root=/b"]);
  assertEquals(options, { root: "/b", tty: "auto", env: ["A=1", "B"], rw: false });
  assertEquals([...given], ["env", "root"]);
  assertEquals(read([]).options, { root: null, tty: "auto", env: [], rw: false });
});

Deno.test("values may be empty, and begin with a hyphen behind =", () => {
  assertEquals(read(["--root="]).options.root, "");
  assertEquals(read(["--root=-x"]).options.root, "-x");
  assertEquals(read(["--env=A=B=C"]).options.env, ["A=B=C"]);
});

Deno.test("one letter stands for an option with one hyphen", () => {
  assertEquals(read(["-e", "A", "-r=/x"]).options, {
    root: "/x",
    tty: "auto",
    env: ["A"],
    rw: false,
  });
});

Deno.test("mistakes are usage errors that name the option", () => {
  const cases: [string[], string][] = [
    [["--foo"], "there is no option --foo"],
    [["--foo=7"], "there is no option --foo"],
    [["-x"], "there is no option -x"],
    [["-rw"], "there is no option -rw; did you mean --rw?"],
    [["--roto", "x"], "there is no option --roto; did you mean --root?"],
    [["--root"], "--root needs a value"],
    [["--root", "--rw"], "--root needs a value; write --root=--rw if that is it"],
    [["--rw=1"], "--rw takes no value"],
    [["--no-rw"], "there is no option --no-rw"],
    [["--constructor"], "there is no option --constructor"],
    [["--e", "x"], "there is no option --e"],
    [["---rw"], "there is no option ---rw; did you mean --rw?"],
    [["-=x"], "there is no option -"],
    [["--tty=maybe"], `--tty is "maybe", expected auto, on, off`],
  ];
  for (const [args, message] of cases) {
    const error = assertThrows(() => read(args), UserError);
    assertEquals([error.message, error.exitCode], [message, 2]);
  }
});

Deno.test("--help and -h are known to every table", () => {
  assertEquals([read(["--help"]).asksHelp, read(["--rw", "-h"]).asksHelp], [true, true]);
  assertEquals([read([]).asksHelp, read(["x", "--help"]).asksHelp], [false, false]);
  assertThrows(() => read(["--help=x"]), UserError, "takes no value");
});

Deno.test("Go's style: one hyphen, short names, switches with a value", () => {
  const go = { isGoStyle: true } as const;
  const flags = read(["-rw", "-e", "A=-1", "-root", "-", "--env=B", "x", "-rw=no"], go);
  assertEquals(flags.options, { root: "-", tty: "auto", env: ["A=-1", "B"], rw: true });
  assertEquals(flags.rest, ["x", "-rw=no"]);
  assertEquals(read(["--rw=false", "--", "-e"], go).options.rw, false);
  assertEquals(rest(["--rw=false", "--", "-e"], go), ["-e"]);
  assertEquals(read(["--rw", "--rw=F"], go).options.rw, false);
  assertThrows(() => read(["--rw=maybe"], go), UserError, "expected true or false");
  assertThrows(() => read(["-bogus"], go), UserError, "there is no option -bogus");
  assertThrows(() => read(["-e"], go), UserError, "--env needs a value");
});

Deno.test("where options may be anywhere, words end at --", () => {
  const flags = read(["a", "--rw", "b", "--", "--root", "c"], { anywhere: true });
  assertEquals([flags.options.rw, flags.rest, flags.countBeforeDashes], [
    true,
    ["a", "b", "--root", "c"],
    2,
  ]);
  assertEquals(read(["a", "--rw"], { anywhere: true }).countBeforeDashes, 1);
});

Deno.test("values are replaced by their table", () => {
  const flags = read(["--rw", "--root=/x"]);
  const others = new Map([["rw", "false"], ["tty", "on"]] as const);
  const changed = withValues(flags, OPTIONS, others);
  assertEquals(changed.options, { root: "/x", tty: "on", env: [], rw: false });
  assertEquals([...changed.given].sort(), ["root", "tty"]);
  assertThrows(
    () => withValues(flags, OPTIONS, new Map([["tty", "x"]] as const)),
    UserError,
    "expected auto",
  );
});
