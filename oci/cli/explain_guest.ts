/** `dvisor do --explain`: what a guest can see, reach and spend, and where each of that is from. */

import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { toText } from "../../kernel/core/bytes.ts";
import { allowedCpus, allowedMemory } from "../host/host_limits.ts";
import type { GuestPlan } from "../launch/foreground_sandbox.ts";
import { hidingOf, isBelow, type SeenPath } from "../launch/host_view.ts";
import { shownWord } from "../shown_text.ts";
import { wholeMiB } from "./amounts.ts";
import { nameOf } from "../environment.ts";
import { explainProgram, type ProgramSearch } from "./program_search.ts";

/** Several lines without an end of line. */
export function explainGuest(plan: GuestPlan, search: ProgramSearch): string {
  const { args, cwd, uid, gid } = plan.process;
  const command = args.length === 0 ? "none given" : args.map(toText).join(" ");
  return [
    section("", [
      ["command", command],
      ...(args.length === 0 ? [] : [["program", explainProgram(search)] as const]),
      ["user", `${uid}:${gid}`],
      ["directory", toText(cwd)],
    ]),
    section("See", seen(plan)),
    section("Reach", reached(plan)),
    section("Spend", spent(plan)),
  ].join("\n\n");
}

type Row = readonly [name: string, text: string];

const NAME_WIDTH = 11;

function section(title: string, rows: readonly Row[]): string {
  const lines = rows.map(([name, text]) => `${name.padEnd(NAME_WIDTH)}${shownWord(text)}`);
  return title === "" ? lines.join("\n") : [title, ...lines.map((line) => `  ${line}`)].join("\n");
}

function seen(plan: GuestPlan): Row[] {
  const [root, ...volumes] = plan.goferRoots;
  const rows: Row[] = [];
  const writes = plan.root.overlay === "none"
    ? "writes go to its files (--rw)"
    : "writes stay in memory and are lost at the end";
  rows.push(["root", `${root?.path}: ${writes}`]);
  const view = root?.view;
  if (plan.root.overlay === "none") rows.push(["", "all of its files are visible (--rw)"]);
  if (view?.isPublic === true) {
    rows.push(["", "what others on this host may not read seems empty"]);
  }
  rows.push(...view?.hidden.map(rowOf("hidden")) ?? [], ...view?.shown.map(rowOf("shown")) ?? []);
  const cwd = toText(plan.process.cwd);
  const isMounted = plan.mounts.some(({ destination }) => isBelow(cwd, toText(destination)));
  const hiding = view === undefined || isMounted ? null : hidingOf(view, cwd);
  if (hiding !== null) {
    rows.push(["", `so ${cwd} seems empty: --show ${cwd} shows it, --home the caller's home`]);
  }
  volumes.forEach(({ path, isReadOnly }, i) => {
    const at = toText(plan.mounts.at(i - volumes.length)?.destination ?? "");
    rows.push(["volume", `${path} at ${at}, ${isReadOnly ? "read-only" : "writable"} (--volume)`]);
  });
  rows.push(["variables", plan.process.env.map((entry) => toText(nameOf(entry))).join(" ")]);
  return rows;
}

function rowOf(name: string): (seen: SeenPath) => Row {
  return ({ path, reason }) => [name, `${path} (${reason})`];
}

function reached({ sandbox, published = [] }: GuestPlan): Row[] {
  const network = sandbox.network === "none"
    ? "none but a loopback of its own; --network host gives that of this machine"
    : "that of this machine (--network host)";
  return [
    ["network", network],
    ...published.map(({ address, hostPort, guestPort }): Row => {
      const port = hostPort === 0 ? "any port" : `port ${hostPort}`;
      return [`port ${guestPort}`, `${port} of ${address} leads to it (--publish)`];
    }),
    ["sockets", "no UNIX socket and no FIFO in files of this host"],
    ["files", "standard input, output and error of the caller"],
  ];
}

function spent({ memoryLimit, limits, process }: GuestPlan): Row[] {
  const machine = allowedMemory(), memory = Math.min(machine, memoryLimit ?? Infinity);
  const disk = limits?.diskBytes ?? null,
    cpus = limits?.cpus ?? null,
    tasks = limits?.tasks ?? null;
  const files = process.rlimits.find(({ resource }) => resource === RLIMIT_NOFILE);
  const isOwn = memoryLimit !== null && memoryLimit <= machine;
  return [
    ["memory", `${wholeMiB(memory)} (${isOwn ? "--memory" : "what this host has"})`],
    [
      "disk",
      disk === null
        ? `${wholeMiB(memory / 2)} of the memory for files that are written (half of it)`
        : `${wholeMiB(disk)} of the memory for files that are written (--disk)`,
    ],
    [
      "processors",
      cpus === null ? `${allowedCpus()} (what this process may use)` : `${cpus} (--cpus)`,
    ],
    [
      "processes",
      tasks === null ? "no limit of its own (--pids sets one)" : `${tasks}, threads too (--pids)`,
    ],
    [
      "open files",
      files === undefined
        ? "1024 a process"
        : `${files.soft} a process, at most ${files.hard} (the caller's limits)`,
    ],
  ];
}
