/** Lines for the user while the guest runs. They may appear on a terminal in raw mode. */

import { shownLines } from "../shown_text.ts";

export function say(line: string): void {
  console.error(`dvisor: ${shownLines(line)}${Deno.stderr.isTerminal() ? "\r" : ""}`);
}
