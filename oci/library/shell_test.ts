import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "./errors.ts";
import { shellScript, type ShellValue } from "./shell.ts";

function script(strings: TemplateStringsArray, ...values: readonly ShellValue[]): string {
  return shellScript(strings.raw, values);
}

/** What the host's shell prints. */
async function run(text: string): Promise<string> {
  const { code, stdout } = await new Deno.Command("sh", { args: ["-c", text] }).output();
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout);
}

const HOSTILE = [
  "",
  " ",
  "a b",
  "$HOME",
  "`id`",
  "$(id)",
  "'",
  '"',
  "\\",
  "a'b\"c\\",
  "; echo bad",
  "\n echo bad\n",
  "*",
  "~",
  "-n",
  "'; echo bad; '",
  '"; echo bad; "',
  "ü€😀",
];

Deno.test("sh: a value is one word, whatever it has", async () => {
  for (const value of HOSTILE) {
    assertEquals(await run(script`printf '<%s>' ${value}`), `<${value}>`);
    assertEquals(await run(script`printf '<%s>' "a ${value} b"`), `<a ${value} b>`);
    assertEquals(await run(script`printf '<%s>' a${value}b`), `<a${value}b>`);
    assertEquals(await run(script`printf '<%s>' "$(printf '%s.' "${value}")"`), `<${value}.>`);
    assertEquals(await run(script`x=$(printf '%s.' ${value}); printf '<%s>' "$x"`), `<${value}.>`);
  }
});

Deno.test("sh: an array is a word for each of its elements", async () => {
  assertEquals(await run(script`printf '<%s>' ${HOSTILE}`), HOSTILE.map((v) => `<${v}>`).join(""));
  assertEquals(await run(script`printf '<%s>' a ${[]} b`), "<a><b>");
  assertEquals(
    await run(script`printf '<%s>' ${[1, 2.5]} ${3} ${4n} ${true}`),
    "<1><2.5><3><4><true>",
  );
});

Deno.test("sh: the script itself is the shell's", async () => {
  assertEquals(await run(script`a=1; echo "$a" \\ '"' \" $(echo x)`), '1 \\ " " x\n');
  assertEquals(script`ls | wc`, "ls | wc");
});

Deno.test("sh: what has no place in a script is an error that says which value it is", () => {
  const refused = (fn: () => string, message: string) => {
    assertThrows(fn, InvalidArgumentError, message);
  };
  refused(() => script`echo '${"a"}'`, "value 1 stands between single quotation marks");
  refused(() => script`echo ${1} "${["a", "b"]}"`, "value 2 is an array between");
  refused(() => script`echo ${"a\0b"}`, "NUL");
  refused(() => shellScript(["echo ", ""], [JSON.parse("null")]), "got null");
  refused(() => shellScript(["echo ", ""], [JSON.parse("[{}]")]), "got object");
});
