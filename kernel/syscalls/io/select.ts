/** select(2), pselect6(2): poll(2) with sets of descriptors. */

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRNORM,
} from "../../../ffi/abi/poll.ts";
import { EBADF, EFAULT, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { EXTRA_WAITS } from "../../core/quota.ts";
import { BLOCK } from "../../core/result.ts";
import type { Task } from "../../task/task.ts";
import { finishSelect, setDeadline, useMask, watchFiles } from "./poll.ts";
import { FDS_A_TURN, passOf, PollPasses, runPasses } from "./poll_passes.ts";

/** The sets of select(2): poll events that make a descriptor ready in each (fs/select.c). */
const IN_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR | POLLNVAL;
const OUT_SET = POLLWRNORM | POLLOUT | POLLERR | POLLNVAL;
const EX_SET = POLLPRI | POLLNVAL;
const SETS: readonly number[] = [IN_SET, OUT_SET, EX_SET];

/** The sets of a call, before and after, one bit for each descriptor. */
export class FdSets {
  private readonly input: readonly Uint8Array<ArrayBuffer>[];
  private readonly output: readonly Uint8Array<ArrayBuffer>[];

  /** @param bytes of each set */
  constructor(bytes: number) {
    this.input = SETS.map(() => new Uint8Array(bytes));
    this.output = SETS.map(() => new Uint8Array(bytes));
  }

  /** Bytes of all sets. */
  static sizeOf(bytes: number): number {
    return 2 * SETS.length * bytes;
  }

  load(t: Task, a: SyscallArgs, bytes: number): number {
    for (let s = 0; s < SETS.length; s++) {
      const addr = a.u64(1 + s), set = this.input[s]!;
      set.fill(0);
      if (addr !== 0 && t.mm.copyIn(set, 0, addr, bytes) < 0) return -EFAULT;
    }
    this.clear();
    return 0;
  }

  store(t: Task, a: SyscallArgs, bytes: number): number {
    for (let s = 0; s < SETS.length; s++) {
      const addr = a.u64(1 + s);
      if (addr !== 0 && t.mm.copyOut(addr, this.output[s]!, 0, bytes) < 0) return -EFAULT;
    }
    return 0;
  }

  /** Empties the sets of ready descriptors. */
  clear(): void {
    for (const set of this.output) set.fill(0);
  }

  /** Records the ready descriptors of [from, to): their number, each set counted, or -EBADF. */
  scan(t: Task, from: number, to: number): number {
    let ready = 0;
    for (let fd = this.next(from, to); fd < to; fd = this.next(fd + 1, to)) {
      const file = t.files.get(fd);
      if (file === null && t.files.getAny(fd) === null) return -EBADF;
      const bits = file === null ? POLLNVAL : file.poll();
      const byte = fd >> 3, bit = 1 << (fd & 7);
      for (let s = 0; s < SETS.length; s++) {
        if ((this.input[s]![byte]! & bit) === 0 || (bits & SETS[s]!) === 0) continue;
        this.output[s]![byte]! |= bit;
        ready++;
      }
    }
    return ready;
  }

  /**
   * Registers with the requested descriptors of [from, to).
   *
   * @param passes that register; null: the call needs one turn
   */
  watch(t: Task, from: number, to: number, passes: SetPasses | null): void {
    for (let fd = this.next(from, to); fd < to; fd = this.next(fd + 1, to)) {
      const file = t.files.get(fd);
      if (file === null) continue;
      if (passes === null) watchFiles(t, file, this.eventsOf(fd));
      else passes.watch(t, file, this.eventsOf(fd));
    }
  }

  private eventsOf(fd: number): number {
    const byte = fd >> 3, bit = 1 << (fd & 7);
    let events = 0;
    for (let s = 0; s < SETS.length; s++) {
      if ((this.input[s]![byte]! & bit) !== 0) events |= SETS[s]!;
    }
    return events;
  }

  /** The first requested descriptor of [from, to), or `to`. */
  private next(from: number, to: number): number {
    const [ins, outs, exs] = this.input;
    for (let fd = from; fd < to; fd++) {
      const wanted = ins![fd >> 3]! | outs![fd >> 3]! | exs![fd >> 3]!;
      if (wanted === 0) fd |= 7;
      else if ((wanted & (1 << (fd & 7))) !== 0) return fd;
    }
    return to;
  }
}

/** The sets of a call that needs one turn: filled and read in that turn. */
const sets = new FdSets(FDS_A_TURN / 8);

/** select(2): writes the remaining time back, as Linux does. */
export function sysSelect(t: Task, a: SyscallArgs): number {
  const first = setDeadline(t, a.u64(4), true);
  if (first < 0) return first;
  return finishSelect(t, select(t, a), a.u64(4), true);
}

/** pselect6(2): the sixth argument points to a mask and its size. */
export function sysPselect6(t: Task, a: SyscallArgs): number {
  const first = setDeadline(t, a.u64(4), false);
  if (first < 0) return first;
  const pack = a.u64(5);
  if (pack !== 0) {
    const mask = t.mm.load64(pack), size = t.mm.load64(pack + 8);
    if (mask < 0 || size < 0) return -EFAULT;
    const masked = useMask(t, mask, size);
    if (masked < 0) return masked;
  }
  return finishSelect(t, select(t, a), a.u64(4), false);
}

function select(t: Task, a: SyscallArgs): number {
  const begun = passOf(t);
  if (begun instanceof SetPasses) return begun.run(t, a);
  if (a.i32(0) < 0) return -EINVAL;
  const n = Math.min(a.i32(0), t.files.size), bytes = Math.ceil(n / 64) * 8;
  if (n > FDS_A_TURN) return selectMany(t, a, n, bytes);
  const loaded = sets.load(t, a, bytes);
  if (loaded < 0) return loaded;
  const ready = sets.scan(t, 0, n);
  if (ready < 0) return ready;
  if (ready === 0 && t.kernel.now() < t.progress.deadlineNs) {
    if (!EXTRA_WAITS.hasRoom(n, t.account)) return -ENOMEM;
    sets.watch(t, 0, n, null);
    const r = t.waitUntil(t.progress.deadlineNs);
    if (r === BLOCK) return BLOCK;
    t.endWait();
    return r;
  }
  const stored = sets.store(t, a, bytes);
  return stored < 0 ? stored : ready;
}

/** select(2) of more descriptors than one turn polls. */
function selectMany(t: Task, a: SyscallArgs, n: number, bytes: number): number {
  if (!t.progress.keepBytes(FdSets.sizeOf(bytes), t.account)) return -ENOMEM;
  const many = new FdSets(bytes), loaded = many.load(t, a, bytes);
  return loaded < 0 ? loaded : new SetPasses(t, n, many, bytes).run(t, a);
}

/** Passes over sets that are read once, because the call writes its result over them. */
export class SetPasses extends PollPasses {
  private readonly sets: FdSets;
  private readonly bytes: number;

  constructor(t: Task, count: number, sets: FdSets, bytes: number) {
    super(t, count);
    this.sets = sets;
    this.bytes = bytes;
  }

  override look(t: Task, from: number, to: number): number {
    if (from === 0) this.sets.clear();
    const ready = this.sets.scan(t, from, to);
    if (ready === 0 && !this.isWatched) this.sets.watch(t, from, to, this);
    return ready;
  }

  run(t: Task, a: SyscallArgs): number {
    const r = runPasses(t, this);
    if (r < 0) return r;
    const stored = this.sets.store(t, a, this.bytes);
    return stored < 0 ? stored : r;
  }
}
