import { assert, assertEquals } from "@std/assert";
import { syntaxError } from "./json_syntax.ts";

Deno.test("a syntax error has its line and column, and what was expected", () => {
  const cases: [string, string][] = [
    ["", "line 1, column 1: expected a value, found the end"],
    ["{", "line 1, column 2: expected a name in quotes or }, found the end"],
    ['{"a": tru}', 'line 1, column 7: expected a value, found "t"'],
    ['{\n  "a": 1,\n}\n', 'line 3, column 1: expected a name in quotes, found "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: expected , or }, found "\\""'],
    ["[1,2", "line 1, column 5: expected , or ], found the end"],
    ["[,]", 'line 1, column 2: expected a value or ], found ","'],
    ['{"a" 1}', 'line 1, column 6: expected :, found "1"'],
    ['{"a":1}}', 'line 1, column 8: expected nothing more, found "}"'],
    ["[01]", 'line 1, column 3: expected , or ], found "1"'],
    ['["\\x"]', 'line 1, column 4: expected " \\ / b f n r t or u behind \\, found "x"'],
    ['["\\u12g4"]', 'line 1, column 7: expected 4 hex digits behind \\u, found "g"'],
    ['["a\n"]', 'line 1, column 4: expected the " that ends a string, found "\\n"'],
    ["// no\n{}", 'line 1, column 1: expected a value, found "/"'],
  ];
  for (const [text, message] of cases) assertEquals(syntaxError(text), message, text);
});

Deno.test("each fault is where JSON.parse meets one: what stands before begins some text", () => {
  const whole = '{"a": [1, -2.5e+3, true, {"b\\u00e9\\n": null, "c": [[], {}]}], "d": "x"}';
  const ends = [" ", "}", "]", ",", ":", '"', "1", "x", "\\", "-", "\u0001"];
  for (let i = 0; i < whole.length; i++) {
    for (const end of ends) {
      const text = whole.slice(0, i) + end + whole.slice(i);
      let isValid = true;
      try {
        JSON.parse(text);
      } catch {
        isValid = false;
      }
      if (isValid) continue;
      const [, column = "0"] = /^line 1, column (\d+): /.exec(syntaxError(text)) ?? [];
      const at = Number(column) - 1;
      assert(at >= 0 && at <= text.length, text);
      // The same text up to there, and no further, can be continued.
      assertEquals(syntaxError(text.slice(0, at)).endsWith("found the end"), true, text);
    }
  }
});

Deno.test("deep and long texts are no recursion", () => {
  const deep = "[".repeat(1e6);
  assertEquals(syntaxError(deep), "line 1, column 1000001: expected a value or ], found the end");
  assertEquals(syntaxError(`["${"x".repeat(1e6)}`).endsWith("found the end"), true);
});
