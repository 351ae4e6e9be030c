/** `dvisor list`: the containers of this host. */

import { type ListedState, listedState } from "../../container/oci_state.ts";
import { statusNow } from "../../container/found_container.ts";
import { listSandboxes } from "../../launch/session/attached_client.ts";
import { explain } from "../../user_error.ts";
import { shownJson, shownLines, shownWord } from "../../shown_text.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { sandboxState } from "../library_sandbox.ts";

export const command = defineCommand({
  name: "list",
  summary: "list containers",
  usage: ["[OPTION...]"],
  description:
    "Shows the containers under the root directory, and this user's sandboxes of libraries.",
  options: {
    format: { short: "f", choices: ["table", "json"], default: "table", help: "form of the list" },
    quiet: { short: "q", help: "ids only" },
  },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const format = flags.options.format;
    const { store } = globals;
    const records = store.list((damage) => console.error(shownLines(`dvisor: ${explain(damage)}`)));
    const containers = records.map((record) => listedState(record, statusNow(store, record)));
    // Another root directory is another list.
    const sandboxes = globals.given("root") === null ? listSandboxes() : [];
    const states = [...containers, ...sandboxes.map(sandboxState)];
    if (flags.options.quiet) states.forEach((state) => console.log(state.id));
    else console.log(format === "json" ? shownJson(JSON.stringify(states)) : table(states));
    return 0;
  },
});

function table(states: readonly ListedState[]): string {
  const rows = [
    ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"],
    ...states.map((s) => [s.id, String(s.pid), s.status, s.bundle, s.created, s.owner]),
  ];
  return formatTable(rows);
}

/** A table with columns as wide as their cells; cells may have names that guests chose. */
export function formatTable(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(shownWord));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, i) => i === row.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + 2)).join("")
  ).join("\n");
}
