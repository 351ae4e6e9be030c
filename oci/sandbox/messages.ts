/** Lines for the user while the guest runs. They may appear on a terminal in raw mode. */

export function say(line: string): void {
  console.error(`dvisor: ${line}${Deno.stderr.isTerminal() ? "\r" : ""}`);
}
