import { assert, assertEquals } from "@std/assert";
import { VERBS } from "../verb_table.ts";
import { alignedLines, optionLines, verbHelp, wrap } from "./help_text.ts";

Deno.test("the help of each verb has its options, in lines of 100 columns", () => {
  for (const [name, verb] of Object.entries(VERBS)) {
    const help = verbHelp(verb);
    assert(help.startsWith(`Usage: dvisor ${name}`), name);
    for (const line of help.split("\n")) assert(line.length <= 100, line);
    for (const option of Object.keys(verb.options)) assert(help.includes(`--${option}`), option);
  }
});

Deno.test("what each option does is one phrase, and its letter is its own", () => {
  for (const { name, options } of Object.values(VERBS)) {
    const letters = Object.values(options).map(({ short }) => short ?? null).filter((x) =>
      x !== null
    );
    assertEquals([...new Set(letters)], letters, name);
    for (const [option, { help, choices, default: usual }] of Object.entries(options)) {
      assert(help !== "" && !help.endsWith("."), `${name} --${option}`);
      assert(!choices || usual === undefined || choices.includes(usual), `${name} --${option}`);
    }
  }
});

Deno.test("options of a section stand below the other ones", () => {
  const options = { a: { help: "first" }, b: { help: "second" }, c: { help: "third" } };
  const verb = { name: "x", summary: "", usage: [""], description: "", options };
  assertEquals(
    verbHelp({ ...verb, sections: { "More options": ["a", "c", "not there"] } }),
    "Usage: dvisor x\n\nOptions:\n  --b  second\n\nMore options:\n  --a  first\n  --c  third",
  );
  assertEquals(verbHelp({ ...verb, options: {} }), "Usage: dvisor x");
});

Deno.test("options are aligned, and show what the table knows", () => {
  const text = optionLines({
    mode: { short: "m", choices: ["a", "b"], default: "a", help: "how it is done" },
    "a-name-that-is-long": { value: "LONG-VALUE", help: "what" },
    env: { value: "NAME", repeats: true, help: "set it" },
  });
  assertEquals(
    text,
    `  -m, --mode a|b  how it is done (default a)
  --a-name-that-is-long LONG-VALUE
                  what
  --env NAME      set it (repeatable)`,
  );
});

Deno.test("texts are wrapped by paragraphs", () => {
  assertEquals(wrap("a b\n  c\n\nd", 3), "a b\nc\n\nd");
  assertEquals(wrap("longer than that", 4), "longer\nthan\nthat");
  assertEquals(wrap(""), "");
  assertEquals(alignedLines([["a", "b ".repeat(60).trim()]]).split("\n").length, 2);
});
