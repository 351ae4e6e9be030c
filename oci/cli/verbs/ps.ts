/** `dvisor ps`: the processes of a container. */

import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import type { ProcessInfo } from "../../protocol/control_protocol.ts";
import { readProcesses } from "../../protocol/control_answers.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";
import { formatTable } from "./list.ts";
import { type Column, columnsOf } from "../ps_columns.ts";

export const command = defineCommand({
  name: "ps",
  summary: "show the processes of a container",
  usage: ["[OPTION...] ID [-o COLUMN,...]"],
  operands: ["container", "arguments"],
  description: "Shows the processes of a container. As JSON: the host pids of its first process " +
    "and of those that dvisor exec has started. As a table: all processes with their pids " +
    "inside, and the columns of -o: uid, user, euid, pid, ppid, nlwp, thcount, etime, etimes, " +
    "comm, ucmd.",
  options: {
    format: { short: "f", choices: ["table", "json"], default: "table", help: "form of the list" },
  },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest.slice(0, 1), "ps"), isJson = flags.options.format === "json";
    // The words after the id are options of ps(1).
    const columns = columnsOf(flags.rest.slice(1));
    const isSandbox = useSandbox(globals, id, (client, { pid }) => {
      console.log(
        isJson ? JSON.stringify([pid]) : table(readProcesses(client.ask({ op: "ps" })), columns),
      );
    });
    if (isSandbox) return 0;
    const found = findContainer(globals.store, id);
    const list = processesOf(found);
    console.log(
      isJson ? JSON.stringify(hostPids(found, list)) : table(list, columns),
    );
    return 0;
  },
});

function processesOf(found: FoundContainer): readonly ProcessInfo[] {
  if (found.status === "stopped" || found.status === "creating") return [];
  return found.ask({ op: "ps", id: found.record.id }).processes;
}

function hostPids({ record, status }: FoundContainer, list: readonly ProcessInfo[]): number[] {
  if (status === "stopped") return [];
  return [record.init.pid, ...list.map((process) => process.hostPid).filter((pid) => pid > 0)];
}

function table(list: readonly ProcessInfo[], columns: readonly Column[]): string {
  const rows = list.map((process) => columns.map((column) => column.value(process)));
  return formatTable([columns.map((column) => column.header), ...rows]);
}
