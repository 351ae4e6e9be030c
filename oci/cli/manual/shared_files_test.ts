import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../user_error.ts";
import { VERBS } from "../verb_table.ts";
import { writeSharedFiles } from "./shared_files.ts";

Deno.test("packages get a man page for each verb, and a script for each shell", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-share-" });
  try {
    writeSharedFiles(dir, VERBS);
    const pages = [...Deno.readDirSync(`${dir}/man/man1`)].map(({ name }) => name);
    assertEquals(pages.length, Object.keys(VERBS).length + 1);
    for (
      const path of [
        "bash-completion/completions/dvisor",
        "zsh/site-functions/_dvisor",
        "fish/vendor_completions.d/dvisor.fish",
      ]
    ) assert(Deno.readTextFileSync(`${dir}/${path}`).includes("systemd-cgroup"), path);
    assertThrows(() => writeSharedFiles(`${dir}/man/man1/dvisor.1`, VERBS), UserError, "cannot");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
