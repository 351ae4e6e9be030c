/** `dvisor ps`: the processes of a container. */

import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import { readFlags } from "../../options/flags.ts";
import type { ProcessInfo } from "../../protocol/control_protocol.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import type { Command } from "../command.ts";
import { formatTable } from "./list.ts";
import { type Column, columnsOf } from "../ps_columns.ts";

export const command: Command = {
  help: `Usage: dvisor ps [OPTION...] ID [-o COLUMN,...]

Shows the processes of a container. As JSON: the host pids of its first process and of those that
dvisor exec has started. As a table: all processes with their pids inside, and the columns of -o:
uid, user, euid, pid, ppid, nlwp, thcount, etime, etimes, comm, ucmd.

Options:
  -f, --format F  table or json`,
  failureCode: EXIT_FAILURE,
  run(args, globals) {
    const flags = readFlags(args, { strings: ["format"], go: { f: "format" } });
    const format = flags.choice("format", ["table", "json"]);
    const found = findContainer(globals.store, onlyId(flags.rest.slice(0, 1), "ps"));
    // The words after the id are options of ps(1).
    const columns = columnsOf(flags.rest.slice(1));
    const list = processesOf(found);
    console.log(format === "json" ? JSON.stringify(hostPids(found, list)) : table(list, columns));
    return 0;
  },
};

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
