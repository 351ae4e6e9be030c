/** Tests of `parse_args.ts`: values, and the static types of results. */

import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

Deno.test("parseArgs without options reads flags, numbers and positionals", () => {
  assertEquals(parseArgs(["--foo", "--bar=baz", "-n5", "-x", "3", "./a.txt", "7"]), {
    _: ["./a.txt", 7],
    foo: true,
    bar: "baz",
    n: 5,
    x: 3,
  });
  assertEquals(parseArgs(["-abc", "v"]), { _: [], a: true, b: true, c: "v" });
  assertEquals(parseArgs(["-f", "-"]), { _: [], f: "-" });
  assertEquals(parseArgs(["--a", "--b"]), { _: [], a: true, b: true });
  assertEquals(parseArgs(["-"]), { _: ["-"] });
  assertEquals(parseArgs([""]), { _: [""] });
});

Deno.test("parseArgs types strings, booleans and defaults", () => {
  const args = parseArgs(["--name=7", "--quiet", "x"], {
    string: ["name", "root"],
    boolean: ["quiet", "verbose"],
    default: { root: "/", level: 3 },
  });
  const name: string | undefined = args.name;
  const root: string = args.root;
  const quiet: boolean = args.quiet;
  assertEquals([name, root, quiet, args.verbose, args.level], ["7", "/", true, false, 3]);
  assertEquals(args._, ["x"]);
});

Deno.test("parseArgs collects repeated flags and gives an empty list for none", () => {
  const args = parseArgs(["--env", "A=1", "--env=B=2"], {
    string: ["env", "volume"],
    collect: ["env", "volume"],
  });
  const env: string[] = args.env;
  assertEquals(env, ["A=1", "B=2"]);
  assertEquals(args.volume, []);
});

Deno.test("parseArgs sets every alias", () => {
  const args = parseArgs(["-u", "0:0"], { string: ["user"], alias: { user: ["u", "uid"] } });
  assertEquals(args, { _: [], user: "0:0", u: "0:0", uid: "0:0" });
  assertEquals(parseArgs(["-q"], { boolean: ["quiet"], alias: { quiet: "q" } }).quiet, true);
});

Deno.test("parseArgs stops at the first positional argument when asked", () => {
  assertEquals(parseArgs(["--a", "--", "--b"], { boolean: ["a"], "--": true }), {
    _: [],
    a: true,
    "--": ["--b"],
  });
  assertEquals(parseArgs(["--a", "ls", "--b", "5"], { boolean: ["a"], stopEarly: true }), {
    _: ["ls", "--b", "5"],
    a: true,
  });
  assertEquals(parseArgs(["x", "--", "--b"]), { _: ["x", "--b"] });
});

Deno.test("parseArgs negates negatable options only", () => {
  assertEquals(parseArgs(["--no-color", "--no-x"], { boolean: ["color"], negatable: ["color"] }), {
    _: [],
    color: false,
    "no-x": true,
  });
});

Deno.test("parseArgs booleans take true and false and nothing else", () => {
  assertEquals(parseArgs(["--a", "false", "--b", "x"], { boolean: ["a", "b"] }), {
    _: ["x"],
    a: false,
    b: true,
  });
  assertEquals(parseArgs(["--a=false"], { boolean: ["a"] }), { _: [], a: false });
  assertEquals(parseArgs(["--a", "b", "-c", "d"], { boolean: true }), {
    _: ["b"],
    a: true,
    c: "d",
  });
});

Deno.test("parseArgs asks about unknown arguments and can drop them", () => {
  const asked: unknown[] = [];
  const args = parseArgs(["--known=1", "--odd=2", "pos"], {
    string: ["known"],
    unknown: (arg, key, value) => {
      asked.push([arg, key, value]);
      return false;
    },
  });
  assertEquals(asked, [["--odd=2", "odd", "2"], ["pos", undefined, undefined]]);
  assertEquals(args, { _: [], known: "1" });
});

Deno.test("parseArgs nests dotted names and ignores __proto__", () => {
  assertEquals(parseArgs(["--a.b", "1", "--a.c=x"]), { _: [], a: { b: 1, c: "x" } });
  assertEquals(parseArgs(["--__proto__.bad", "1"]), { _: [] });
  assertEquals(Reflect.get({}, "bad"), undefined);
});

Deno.test("parseArgs gives strings without a value the empty string", () => {
  assertEquals(parseArgs(["--s", "--t=", "-u"], { string: ["s", "t", "u"] }), {
    _: [],
    s: "",
    t: "",
    u: "",
  });
});
