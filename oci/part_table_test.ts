import { assert, assertEquals } from "@std/assert";
import type { Command } from "./cli/command.ts";
import { VERBS } from "./cli/verb_table.ts";
import { entryOf, PART_NAMES, partOfVerb, verbsOf } from "./part_table.ts";
import { partFor } from "./parts.ts";

const ROOT = new URL("../", import.meta.url).href;

Deno.test("every listed verb has a module with a command", async () => {
  for (const name of PART_NAMES) {
    for (const verb of verbsOf(name)) {
      const module: { command: Command } = await import(`./cli/verbs/${verb}.ts`);
      assertEquals(typeof module.command.run, "function", verb);
      assertEquals(partOfVerb(verb), name);
      if (name !== "kernel") assertEquals(VERBS[verb], module.command, verb);
    }
  }
});

Deno.test("each import of a part's main module exists", () => {
  for (const name of PART_NAMES) {
    const imports = [...entryOf(name, ROOT).matchAll(/"(file:[^"]+)"/g)];
    assert(imports.length > 0);
    for (const [, url = ""] of imports) assert(Deno.statSync(new URL(url)).isFile, url);
  }
});

Deno.test("the verb or the program's name chooses the part", () => {
  assertEquals(partFor("/usr/bin/dvisor", ["--root", "exec", "--debug", "create", "id"]), "create");
  assertEquals(partFor("/usr/bin/dvisor", ["kill", "id"]), "control");
  assertEquals(partFor("/usr/bin/dvisor", ["exec", "--env", "A=b", "id", "ls", "-l"]), "exec");
  for (const word of ["-d", "--detach", "--pid-file=p", "-console-socket"]) {
    assertEquals(partFor("/usr/bin/dvisor", ["--debug", "exec", word, "id"]), "proxied exec");
  }
  assertEquals(partFor("/usr/bin/dvisor", ["list"]), "command");
  assertEquals(partFor("/usr/bin/dvisor", []), "command");
  assertEquals(partFor("/usr/bin/dvisor", ["--help", "do"]), "command");
  assertEquals(partFor("/usr/bin/dvisor", ["do", "--help"]), "do");
  assertEquals(partFor("/usr/bin/dvisor", ["boot"]), "kernel");
  assertEquals(partFor("/usr/bin/dvisor", ["--debug", "boot"]), "command");
  assertEquals(partFor("/usr/bin/dvisor-gofer", ["do"]), "gofer");
  assertEquals(partFor("/usr/bin/dvisor", ["serve", "--fd", "3"]), "gofer");
});
