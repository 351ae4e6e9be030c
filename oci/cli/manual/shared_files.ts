/** The files below /usr/share that packages have: man pages, and completion of all shells. */

import { dirname } from "@std/path";
import { UserError } from "../../user_error.ts";
import type { Commands } from "../command.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { zshScript } from "./completion/zsh.ts";
import { mainPage, verbPage } from "./man_page.ts";

/** @throws UserError */
export function writeSharedFiles(directory: string, verbs: Commands): void {
  for (const [name, text] of sharedFiles(verbs)) {
    const path = `${directory}/${name}`;
    try {
      Deno.mkdirSync(dirname(path), { recursive: true });
      Deno.writeTextFileSync(path, text);
    } catch (error) {
      throw new UserError(`cannot write ${path}`, undefined, error);
    }
  }
}

/** Texts by their paths below /usr/share. */
function sharedFiles(verbs: Commands): ReadonlyMap<string, string> {
  const pages = Object.values(verbs).map((verb) =>
    [`man/man1/dvisor-${verb.name}.1`, verbPage(verb)] as const
  );
  return new Map([
    ["man/man1/dvisor.1", mainPage(verbs)],
    ...pages,
    ["bash-completion/completions/dvisor", bashScript(verbs)],
    ["zsh/site-functions/_dvisor", zshScript(verbs)],
    ["fish/vendor_completions.d/dvisor.fish", fishScript(verbs)],
  ]);
}
