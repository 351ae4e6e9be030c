import { assert, assertEquals } from "@std/assert";
import { lacks, named } from "../../../tests/harness/machine.ts";
import { VERBS } from "../verb_table.ts";
import { mainPage, verbPage } from "./man_page.ts";

const PAGES = [mainPage(VERBS), ...Object.values(VERBS).map(verbPage)];

/** What a checker of man pages says about a page on its standard input. */
async function messages(command: string, ...args: string[]): Promise<string> {
  const texts = await Promise.all(PAGES.map(async (page) => {
    const child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(page));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const text = new TextDecoder();
    return command === "mandoc" ? text.decode(stdout) : text.decode(stderr);
  }));
  return texts.join("");
}

Deno.test("each page names its verb and options", () => {
  for (const verb of Object.values(VERBS)) {
    const text = verbPage(verb).replaceAll("\\-", "-");
    assert(text.includes(`.SH NAME\ndvisor-${verb.name} - ${verb.summary}\n`), verb.name);
    for (const option of Object.keys(verb.options)) {
      assert(text.includes(`\\fB--${option}\\fR`), `${verb.name} --${option}`);
    }
    assert(mainPage(VERBS).includes(`.BR dvisor\\-${verb.name} (1)`), verb.name);
  }
});

Deno.test("text of the tables is no command of roff", () => {
  const page = verbPage({
    name: "x",
    summary: "a back\\slash",
    usage: ["[OPTION...]"],
    description: ".SH is no title\n\n'nor this",
    options: { o: { value: "V", help: ".so /etc/passwd" } },
  });
  assert(page.includes("\\&.SH is no title\n.PP\n\\&'nor this"), page);
  assert(page.includes("\\&.so /etc/passwd") && page.includes("a back\\eslash"), page);
});

Deno.test({
  ...named("groff has no warning", lacks(["groff"])),
  fn: async () => assertEquals(await messages("groff", "-man", "-ww", "-Tutf8", "-z"), ""),
});

Deno.test({
  ...named("mandoc warns of nothing but the date, which a page does not have", lacks(["mandoc"])),
  fn: async () => {
    const lines = (await messages("mandoc", "-Tlint", "-Wwarning")).split("\n");
    assertEquals(lines.filter((line) => line !== "" && !line.includes("missing date")), []);
  },
});
