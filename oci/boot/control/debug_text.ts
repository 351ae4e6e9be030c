/**
 * The text of `dvisor debug`: a container's tasks and what they wait for, their open files and
 * memory, and the mounts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { NAMES } from "../../../ffi/abi/syscall_numbers.ts";
import { toText } from "../../../kernel/core/bytes.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { groupSystemNs, groupUserNs } from "../../../kernel/task/cpu_clock.ts";
import * as T from "../../../kernel/task/task.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import type { FdTable } from "../../../kernel/vfs/fd_table.ts";
import { mountInfo } from "../../../kernel/vfs/mount_info.ts";
import { mountedText } from "../../../kernel/vfs/pathname.ts";

/** LIMIT: open files of a process, and last calls, in the text. */
const FILES_SHOWN = 64, CALLS_SHOWN = 20;
/** LIMIT: characters of the text, because an answer is one packet. */
const TEXT_MAX = 50_000;
const MIB = 2 ** 20;

const STATES: ReadonlyMap<number, string> = new Map([
  [T.RUNNING, "runs guest code"],
  [T.READY, "is going to run"],
  [T.BLOCKED, "waits"],
  [T.STOPPED, "is stopped"],
  [T.AWAIT_FULL, "waits for its registers"],
  [T.DEAD, "has ended"],
  [T.HANDLING, "is in the kernel"],
  [T.AWAIT_CALL, "waits for its registers"],
  [T.RESUMING, "is going to run"],
  [T.FROZEN, "is frozen"],
]);

export function debugText(kernel: SandboxKernel, container: Container, status: string): string {
  const lines = [
    `${
      container.id === "" ? "sandbox" : `container ${container.id}`
    }: ${status}, ${container.groups.size} processes`,
    `kernel: ${kernel.calls.count} calls, ${
      mib(kernel.memory.frames.usedBytes)
    } of guest memory in use` +
    ` of ${mib(kernel.host.memoryBytes)}, ${kernel.host.cpuCount} CPUs`,
  ];
  for (const group of container.groups) lines.push("", ...processLines(group, container));
  const root = container.mounts.rootPath();
  const mounts = mountInfo(container.mounts, root);
  const shown = typeof mounts === "string" ? mounts.trimEnd().split("\n") : ["too many"];
  lines.push("", "mounts:");
  for (const line of shown) lines.push(indent(line));
  lines.push("", "last calls:", ...kernel.calls.lines().slice(-CALLS_SHOWN).map(indent));
  const text = `${lines.map(toText).join("\n")}\n`;
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...\n`;
}

function processLines(group: ThreadGroup, container: Container): string[] {
  const task = group.leader ?? group.tasks[0];
  const pid = group.id.numberIn(container.pids), parent = group.parent;
  const name = printable(task?.comm ?? group.lastComm);
  const cpu = `${ms(groupUserNs(group))} user, ${ms(groupSystemNs(group))} system`;
  const lines = [
    `process ${pid} (${name}), parent ${parent?.id.numberIn(container.pids) ?? 0}, CPU ${cpu}` +
    (task === undefined ? ", a zombie" : `, ${mib(task.mm.residentPages * PAGE_SIZE)} resident`),
  ];
  for (const thread of group.tasks) lines.push(`  thread ${thread.tid} ${stateOf(thread)}`);
  if (task !== undefined) lines.push(...fileLines(task.files));
  return lines;
}

function stateOf(task: T.Task): string {
  const state = STATES.get(task.state) ?? `has state ${task.state}`;
  if (task.state !== T.BLOCKED && task.state !== T.HANDLING || task.nr < 0) return state;
  const { words } = task.args, args: string[] = [];
  for (let i = 0; i < 6; i++) args.push(hex(words[2 * i] ?? 0, words[2 * i + 1] ?? 0));
  return `${state} in ${NAMES[task.nr] || `call ${task.nr}`}(${args.join(", ")})`;
}

function fileLines(files: FdTable): string[] {
  const lines: string[] = [];
  for (let fd = 0, seen = 0; seen < files.count && lines.length < FILES_SHOWN; fd++) {
    const file = files.getAny(fd);
    if (file === null) continue;
    seen++;
    const what = file.path === null ? file.describe() : mountedText(file.path);
    lines.push(`  fd ${fd}: ${printable(what)}`);
  }
  return lines;
}

function hex(lo: number, hi: number): string {
  return hi === 0
    ? `0x${lo.toString(16)}`
    : `0x${hi.toString(16)}${lo.toString(16).padStart(8, "0")}`;
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function ms(ns: number): string {
  return `${(ns / 1e6).toFixed(1)} ms`;
}

function indent(line: string): string {
  return `  ${printable(line)}`;
}

/** Names come from the guest: their control characters must not reach a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\x80-\xff]/g, "?");
}
