import { assertEquals } from "@std/assert";
import { shownJson, shownLines, shownWord } from "./shown_text.ts";

const SEQUENCES = [
  "\x1b[2J\x1b]0;title\x07", // clear the screen, set the title
  "\x9b31m\x90q\x9c", // the same by C1
  "\x1bP$q\x1b\\\x05\x08\x0d\x7f", // a request for an answer, backspaces, a carriage return
  "\u202etxt.exe\u2066\u2069\u2028",
];

// A terminal acts on C0, DEL and C1, and shows text backwards from U+202E on.
function acts(text: string): boolean {
  return [...text].some((c) => /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(c) && c !== "\n" && c !== "\t");
}

Deno.test("nothing of a shown text is a command to a terminal", () => {
  for (const text of SEQUENCES) {
    assertEquals([acts(text), acts(shownLines(text)), acts(shownWord(text))], [true, false, false]);
  }
  assertEquals(shownLines("a\x1b[31m\tb\n"), "a\\u001b[31m\tb\n");
  assertEquals(shownWord("a\tb\nc\rd"), "a\\tb\\nc\\u000dd");
});

Deno.test("text without commands stays as it is", () => {
  const text = "größe 日本 🙂 \\ \"q\" 'x'\n\tnext";
  assertEquals(shownLines(text), text);
});

Deno.test("JSON means the same when it is shown", () => {
  for (const text of SEQUENCES) {
    const json = JSON.stringify({ [text]: text });
    assertEquals(acts(shownJson(json)), false);
    assertEquals(JSON.parse(shownJson(json)), { [text]: text });
  }
});
