/**
 * `dvisor events`: prints the resource use of a container once or repeatedly, and OOM events, as
 * JSON lines in runc's shape.
 *
 * Numbers are the host's of the container's cgroup. The sandbox's kernel counts the processes, and
 * without a cgroup all other numbers too.
 */

import { EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { SYS_pidfd_open } from "../../../ffi/abi/syscall_numbers.ts";
import { Epoll } from "../../../ffi/sys/epoll.ts";
import { close } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { OomWatch } from "../../launch/cgroup/oom_watch.ts";
import {
  exactJson,
  memoryEntry,
  nonZero,
  readNetworkInterfaces,
  type Stats,
} from "../../launch/cgroup/stats.ts";
import { readStatsV1 } from "../../launch/cgroup/stats_v1.ts";
import type { AttachedClient } from "../../launch/session/attached_client.ts";
import { findContainer, type FoundContainer, onlyId } from "../../container/found_container.ts";
import type { ContainerStats } from "../../protocol/control_protocol.ts";
import { isAlive } from "../../state/liveness.ts";
import { EXIT_FAILURE, usageError, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

const NS_A_MS = 1e6;

export const command = defineCommand({
  name: "events",
  summary: "show the resource use of a container, as JSON",
  usage: ["[OPTION...] ID"],
  operands: ["container"],
  description: "Prints the resource use of a container as JSON until it ends: a line at each " +
    "interval, and a line when processes were killed because memory ran out.",
  options: {
    interval: { value: "D", default: "5s", help: "time between two lines, as 5s or 500ms" },
    stats: { help: "print one line and end" },
  },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const id = onlyId(flags.rest, "events");
    const intervalMs = parseDuration(flags.options.interval);
    const { stats: isOnce } = flags.options;
    const isSandbox = useSandbox(globals, id, (client) => {
      followSandbox(client, id, isOnce ? 0 : intervalMs);
    });
    if (isSandbox) return 0;
    const found = findContainer(globals.store, id);
    if (found.status === "stopped") {
      throw new UserError(`container with id ${id} is not running`);
    }
    if (isOnce) printEvent("stats", id, readStats(found));
    else follow(found, intervalMs);
    return 0;
  },
});

/**
 * A duration as Go writes it: `1m30s`, `500ms`.
 * @returns milliseconds
 * @throws UserError
 */
export function parseDuration(text: string): number {
  const units: Readonly<Record<string, number>> = {
    ns: 1e-6,
    us: 1e-3,
    "µs": 1e-3,
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
  };
  let ms = 0;
  if (!/^(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw usageError(`--interval is "${text}", expected a time such as 5s`);
  }
  for (const [, number, unit = ""] of text.matchAll(/([\d.]+)([a-zµ]+)/g)) {
    ms += Number(number) * (units[unit] ?? 0);
  }
  if (ms <= 0) throw usageError("duration interval must be greater than 0");
  return ms;
}

/** Lines until the sandbox of a library ends; one if `intervalMs` is 0. */
function followSandbox(client: AttachedClient, id: string, intervalMs: number): void {
  const print = (): void => printEvent("stats", id, sandboxStats(client));
  if (intervalMs === 0) return print();
  client.follow((event) => {
    if (event.member("kind").string() === "oom") printEvent("oom", id);
  });
  while (client.waitMs(intervalMs)) print();
}

/** What its kernel counts: the host has no control group of it. */
function sandboxStats(client: AttachedClient): Stats {
  const answer = client.ask({ op: "stats" });
  const amount = (name: string) => answer.member(name).amount();
  return withGuest(readStatsV1({}), {
    threads: amount("threads"),
    cpuNs: Math.round(amount("cpuMs") * NS_A_MS),
    memoryBytes: amount("memoryBytes"),
    memoryMax: amount("memoryLimitBytes"),
    tasksMax: null,
  });
}

/** Lines until the container ends. */
function follow(found: FoundContainer, intervalMs: number): void {
  const { init, id, cgroup } = found.record;
  const pidfd = syscall(SYS_pidfd_open, init.pid, 0);
  if (pidfd < 0 || !isAlive(init)) return;
  const watch = cgroup === null ? null : OomWatch.open(ContainerCgroup.load(cgroup));
  const epoll = new Epoll(2);
  epoll.add(pidfd, EPOLLIN, 0);
  if (watch !== null) epoll.add(watch.fd, watch.events, 1);
  for (let next = performance.now() + intervalMs;;) {
    const count = epoll.wait(Math.max(0, Math.min(Math.ceil(next - performance.now()), 1 << 30)));
    for (let i = 0; i < count; i++) {
      if (epoll.token(i) === 1 && watch?.take()) printEvent("oom", id);
    }
    if (!isAlive(init)) break;
    if (performance.now() < next) continue;
    printEvent("stats", id, readStats(found));
    next += intervalMs;
  }
  watch?.close();
  epoll.close();
  close(pidfd);
}

function printEvent(type: string, id: string, data?: Stats): void {
  console.log(exactJson({ type, id, data }));
}

/** Numbers of the host, and of the sandbox's kernel. */
function readStats(found: FoundContainer): Stats {
  const { cgroup, init, id, sandboxId } = found.record;
  const host = cgroup === null ? null : ContainerCgroup.load(cgroup);
  // A frozen sandbox does not answer.
  const guest = host?.isFrozen() ? null : guestStats(found);
  const stats = host === null ? readStatsV1({}) : host.stats();
  const counted = guest === null || id === sandboxId ? stats : withMember(stats, guest);
  return { ...withGuest(counted, guest), network_interfaces: readNetworkInterfaces(init.pid) };
}

/** null if the container does not run yet. */
function guestStats(found: FoundContainer): ContainerStats | null {
  try {
    return found.ask({ op: "stats", id: found.record.id }).stats;
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/**
 * The kernel counts what it does and keeps for a further container, because on the host that counts
 * in the group of the first one.
 */
export function withMember(stats: Stats, guest: ContainerStats): Stats {
  const { cpu, memory } = stats, { usage } = memory;
  const total = Math.max(cpu.usage.total ?? 0, guest.cpuNs);
  const bytes = Math.max(usage.usage ?? 0, guest.memoryBytes);
  return {
    ...stats,
    cpu: { ...cpu, usage: { ...cpu.usage, total: nonZero(total) } },
    memory: { ...memory, usage: { ...usage, usage: nonZero(bytes) } },
  };
}

type GuestCounts = Pick<
  ContainerStats,
  "threads" | "cpuNs" | "memoryBytes" | "memoryMax" | "tasksMax"
>;

/**
 * Replaces the host's count of threads, which includes those of the sandbox itself, by the guest's.
 * Without numbers of the host, usage and limits are those of the sandbox's kernel.
 */
export function withGuest(stats: Stats, guest: GuestCounts | null): Stats {
  if (guest === null) return stats;
  const pids = { ...stats.pids, current: nonZero(guest.threads) };
  if (stats.memory.usage.usage !== undefined) return { ...stats, pids };
  const limit = pids.limit ?? guest.tasksMax ?? undefined;
  const usage = memoryEntry(guest.memoryMax ?? Infinity, guest.memoryBytes, 0, 0);
  const total = stats.cpu.usage.total ?? nonZero(guest.cpuNs);
  return {
    ...stats,
    pids: { ...pids, limit },
    cpu: { ...stats.cpu, usage: { ...stats.cpu.usage, total } },
    memory: { ...stats.memory, usage },
  };
}
