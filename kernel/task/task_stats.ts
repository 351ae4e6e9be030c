/**
 * The generic netlink family TASKSTATS (linux/taskstats.h): the resource use of a thread or process
 * on request, and at its end, for listeners that registered for the processors it ran on.
 *
 * DIFFERS: no delays are measured (as on Linux without delay accounting), numbers of control groups
 * are absent, the use of privileges is not recorded, and a thread counts as running on the first
 * processor that it may use.
 */

import { E2BIG, EINVAL, EOVERFLOW, ERANGE, ESRCH } from "../../ffi/abi/errno.ts";
import * as G from "../../ffi/abi/genetlink.ts";
import { NETLINK_GENERIC } from "../../ffi/abi/netlink.ts";
import { INITIAL_USER_NAMESPACE } from "../cred/user_namespace.ts";
import { type Attributes, textOf, u32Of } from "../net/netlink/attributes.ts";
import { beginGenericMessage, type GenericFamily } from "../net/netlink/generic.ts";
import type { NetlinkSocket } from "../net/netlink/netlink_socket.ts";
import type { RouteRequest } from "../net/netlink/request.ts";
import { NetlinkRequest, NetlinkWriter } from "../net/netlink/writer.ts";
import { affinityOf } from "../cgroup/cpuset.ts";
import { groupSystemNs, groupUserNs, threadUserNs } from "./cpu_clock.ts";
import type { Kernel } from "./kernel_services.ts";
import { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";
import type { TransferCounts } from "./transfer_counts.ts";

const { at } = G.Taskstats;
const writer = new NetlinkWriter();

export class TaskStats implements GenericFamily {
  readonly id: number;
  readonly name = "TASKSTATS";
  readonly version = 1;
  readonly operations = [{
    command: G.TASKSTATS_CMD_GET,
    flags: G.GENL_ADMIN_PERM | G.GENL_CMD_CAP_DO | G.GENL_CMD_CAP_HASPOL,
  }] as const;
  private readonly kernel: Kernel;
  /** Listeners for ends of tasks, with their processors. */
  private readonly listeners: Map<NetlinkSocket, Set<number>> = new Map();
  private readonly event: NetlinkRequest = new NetlinkRequest();

  constructor(kernel: Kernel, id: number) {
    this.kernel = kernel;
    this.id = id;
  }

  answer(_command: number, attributes: Attributes, r: RouteRequest, out: NetlinkWriter): number {
    const mask = attributes.get(G.TASKSTATS_CMD_ATTR_REGISTER_CPUMASK);
    if (mask !== undefined) return this.listen(r, mask, true);
    const less = attributes.get(G.TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK);
    if (less !== undefined) return this.listen(r, less, false);
    const pid = attributes.get(G.TASKSTATS_CMD_ATTR_PID);
    const tgid = attributes.get(G.TASKSTATS_CMD_ATTR_TGID);
    const number = u32Of(pid ?? tgid);
    if (pid === undefined && tgid === undefined) return -EINVAL;
    if (number === undefined) return -ERANGE;
    const task = r.caller instanceof Task ? r.caller.pids.tasks.get(number) : undefined;
    if (task === undefined) return -ESRCH;
    beginGenericMessage(out, r.request, this, G.TASKSTATS_CMD_NEW, 0);
    if (pid !== undefined) putTask(out, number, task, false);
    else putProcess(out, number, task.group);
    out.end();
    return 0;
  }

  private listen(r: RouteRequest, list: string, isAdded: boolean): number {
    const { caller } = r, count = this.kernel.host.cpuCount;
    const limit = G.TASKSTATS_CPUMASK_MIN + G.TASKSTATS_CPUMASK_EACH * count;
    if (list.length > limit) return -E2BIG;
    if (list.length < 1) return -ERANGE;
    const cpus = parseList(textOf(list), count);
    if (typeof cpus === "number") return cpus;
    const isFirst = caller instanceof Task && caller.cred.userNs === INITIAL_USER_NAMESPACE &&
      caller.pids.level === 0;
    const socket = r.net.netlink.get(NETLINK_GENERIC)?.ids.get(r.request.pid);
    if (!isFirst || socket === undefined) return -EINVAL;
    for (const one of [...this.listeners.keys()]) if (one.refs === 0) this.listeners.delete(one);
    const known = this.listeners.get(socket) ?? new Set();
    for (const cpu of cpus) {
      if (isAdded) known.add(cpu);
      else known.delete(cpu);
    }
    if (known.size > 0) this.listeners.set(socket, known);
    else this.listeners.delete(socket);
    return 0;
  }

  /** Reports the end of a thread, and of its process if it was the last one. */
  tellExit(task: Task): void {
    if (this.listeners.size === 0) return;
    const { group } = task, { event } = this;
    writer.reset();
    beginGenericMessage(writer, event, this, G.TASKSTATS_CMD_NEW, 0);
    event.seq = (event.seq + 1) >>> 0;
    putTask(writer, task.id.numbers[0] ?? 0, task, group.tasks.length === 1);
    const isLast = group.tasks.length === 1 && group.hadThreads;
    if (isLast) putProcess(writer, group.id.numbers[0] ?? 0, group);
    writer.end();
    const bytes = writer.u8.subarray(0, writer.length), cpu = firstOf(affinityOf(task));
    for (const [socket, cpus] of this.listeners) {
      if (socket.refs === 0) this.listeners.delete(socket);
      else if (cpus.has(cpu)) socket.receiveMessage(bytes, 0, null);
    }
  }
}

function firstOf(mask: Uint32Array | null): number {
  const word = mask?.findIndex((one) => one !== 0) ?? -1;
  return mask === null || word < 0 ? 0 : 32 * word + 31 - Math.clz32(mask[word]! & -mask[word]!);
}

/** Parses a list of processors as cpulist_parse of Linux does: "0-3,5", "0-7:2/4", "N", "all". */
function parseList(text: string, count: number): number[] | number {
  const cpus: number[] = [];
  for (const part of text.split(/[,\s]+/)) {
    if (part === "") continue;
    const word = part.replace(/^all/, `0-${count - 1}`).replaceAll("N", `${count - 1}`);
    const m = /^(\d+)(?:-(\d+)(?::(\d+)\/(\d+))?)?$/.exec(word);
    if (m === null) return -EINVAL;
    const first = Number(m[1]), last = Number(m[2] ?? first);
    const used = Number(m[3] ?? 1), size = Number(m[4] ?? 1);
    if (Math.max(first, last, used, size) > 0xffffffff) return -EOVERFLOW;
    if (first > last || used > size || size === 0) return -EINVAL;
    if (last >= count) return -ERANGE;
    for (let cpu = first; cpu <= last; cpu++) if ((cpu - first) % size < used) cpus.push(cpu);
  }
  return cpus;
}

/** Writes the nested attributes of one answer; struct taskstats is one of them. */
function putAround(
  out: NetlinkWriter,
  [aggregate, type]: readonly [number, number],
  id: number,
  fill: (to: number) => void,
): void {
  const end = out.nestPlain(aggregate);
  out.u32(type, id);
  const to = out.attribute(G.TASKSTATS_TYPE_STATS, G.Taskstats.size);
  out.dv.setUint16(to + at.version, G.TASKSTATS_VERSION, true);
  fill(to);
  end();
}

/** @param isEnd the thread ends, and its process with it */
function putTask(out: NetlinkWriter, id: number, task: Task, isEnd: boolean): void {
  putAround(out, [G.TASKSTATS_TYPE_AGGR_PID, G.TASKSTATS_TYPE_PID], id, (to) => {
    const { dv } = out, { group, cred, sched, kernel: { host } } = task;
    const now = task.kernel.now(), spent = elapsedUs(now, task.startNs);
    const born = host.realtimeSec() - Math.floor(spent / 1e6);
    const isLeader = task === group.leader;
    if (isLeader) dv.setUint32(to + at.exitcode, task.exitStatus || group.exitStatus, true);
    dv.setUint8(to + at.flag, (group.hasExeced ? 0 : G.AFORK) | (isEnd ? G.AGROUP : 0));
    dv.setInt8(to + at.nice, sched.nice);
    dv.setUint8(to + at.sched, sched.policy);
    for (let i = 0; i < task.comm.length; i++) {
      dv.setUint8(to + at.comm + i, task.comm.charCodeAt(i));
    }
    dv.setUint32(to + at.uid, cred.uid, true);
    dv.setUint32(to + at.gid, cred.gid, true);
    dv.setUint32(to + at.pid, id, true);
    dv.setUint32(to + at.ppid, group.parent?.id.numberIn(task.pids) ?? 0, true);
    dv.setUint32(to + at.btime, born, true);
    put64(dv, to + at.btime64, born);
    put64(dv, to + at.etime, spent);
    put64(dv, to + at.tgetime, elapsedUs(now, group.startNs));
    dv.setUint32(to + at.tgid, group.id.numberIn(task.pids), true);
    putTimes(dv, to, threadUserNs(task), task.systemNs);
    put64(dv, to + at.cpuCount, task.stopCount);
    put64(dv, to + at.minflt, group.usage.minorFaults);
    put64(dv, to + at.majflt, group.usage.majorFaults);
    put64(dv, to + at.hiwaterRss, Math.max(group.usage.maxRssKiB, task.mm.residentPages * 4));
    put64(dv, to + at.hiwaterVm, task.mm.counters.peak * 4);
    put64(dv, to + at.nvcsw, task.blockCount);
    putTransfers(dv, to, task.transfers);
    const exe = group.exe?.inode;
    if (exe !== undefined) put64(dv, to + at.exeInode, exe.ino);
  });
}

/** Writes a process as a whole, for which Linux has fewer numbers. */
function putProcess(out: NetlinkWriter, id: number, group: ThreadGroup): void {
  putAround(out, [G.TASKSTATS_TYPE_AGGR_TGID, G.TASKSTATS_TYPE_TGID], id, (to) => {
    const { dv } = out, kernel = group.tasks[0]?.kernel;
    let waits = group.usage.voluntarySwitches, runs = 0;
    for (const task of group.tasks) {
      waits += task.blockCount;
      runs += task.stopCount;
    }
    if (kernel !== undefined) put64(dv, to + at.etime, elapsedUs(kernel.now(), group.startNs));
    putTimes(dv, to, groupUserNs(group), groupSystemNs(group));
    put64(dv, to + at.cpuCount, runs);
    put64(dv, to + at.nvcsw, waits);
  });
}

function putTransfers(dv: DataView, to: number, transfers: TransferCounts): void {
  put64(dv, to + at.readChar, transfers.readBytes);
  put64(dv, to + at.writeChar, transfers.writtenBytes);
  put64(dv, to + at.readSyscalls, transfers.reads);
  put64(dv, to + at.writeSyscalls, transfers.writes);
  put64(dv, to + at.readBytes, transfers.fetchedBytes);
  put64(dv, to + at.writeBytes, transfers.storedBytes);
}

function putTimes(dv: DataView, to: number, userNs: number, systemNs: number): void {
  put64(dv, to + at.cpuRunReal, userNs + systemNs);
  put64(dv, to + at.cpuRunVirtual, userNs + systemNs);
  put64(dv, to + at.utime, userNs / 1000);
  put64(dv, to + at.stime, systemNs / 1000);
}

function elapsedUs(now: number, since: number): number {
  return Math.max(0, Math.floor((now - since) / 1000));
}
function put64(dv: DataView, to: number, value: number): void {
  dv.setBigUint64(to, BigInt(Math.max(0, Math.floor(value))), true);
}
