/**
 * io_setup(2), io_destroy(2), io_submit(2), io_cancel(2), io_getevents(2), io_pgetevents(2).
 * Contexts: aio/aio.ts.
 */

import { RWF_APPEND, RWF_NOWAIT } from "../../../ffi/abi/fs.ts";
import { POLLERR, POLLHUP } from "../../../ffi/abi/poll.ts";
import { EAGAIN, EBADF, EFAULT, EINPROGRESS, EINVAL, ENOMEM } from "../../../ffi/abi/errno.ts";
import * as A from "../../../ffi/abi/aio.ts";
import { MAP_SHARED, PROT_READ, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { AIO_REQUESTS } from "../../core/quota.ts";
import { BLOCK } from "../../core/result.ts";
import { EventFile } from "../../fs/anonfd/eventfd.ts";
import { VM_SPECIAL } from "../../mm/vma.ts";
import { AioContext, AioContexts, AioEvent } from "../aio.ts";
import { AioRing } from "../aio_ring.ts";
import { isRestartCode } from "../../task/return_to_user.ts";
import { restoreMask } from "../../signal/mask.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { readTimeout } from "../../syscalls/timespec.ts";
import { useMask } from "../../syscalls/io/poll.ts";
import { checkFlags, isImmediate, synced, writeWith } from "../../syscalls/io/read_write.ts";
import { waitReadable, waitWritable } from "../../syscalls/io/transfer.ts";

/** Linux's bound: a ring has at most 256 MiB. */
const EVENTS_MAX = 0x10000000 / A.IoEvent.size;
/** LIMIT: time in ns after which the rest of a list of requests waits for another turn. */
const TURN_NS = 1_000_000;
const I = A.Iocb.at;

/** io_setup(2). */
export function sysIoSetup(t: Task, a: SyscallArgs): number {
  const wanted = a.u32(0), addr = a.u64(1);
  const old = t.mm.load64(addr);
  if (old < 0) return -EFAULT;
  if (old !== 0 || wanted === 0) return -EINVAL;
  const contexts = t.group.aio ??= new AioContexts();
  // Linux doubles the number, in 32 bits, and fills the last page of the ring.
  const events = (Math.max(wanted, t.kernel.host.cpuCount * 4) * 2) >>> 0;
  if (events > EVENTS_MAX) return -EINVAL;
  if (events === 0 || !AIO_REQUESTS.take(wanted, t.group.account)) return -EAGAIN;
  let ring: AioRing | null = null, isKept = false;
  try {
    ring = AioRing.create(t.kernel.memory, events + 2);
    const at = ring === null ? -ENOMEM : mapRing(t, ring);
    if (ring === null || at < 0) return at;
    if (t.mm.store64(addr, at) !== 0) {
      t.mm.munmap(at, ring.bytes);
      return -EFAULT;
    }
    contexts.byId.set(at, new AioContext(at, ring, wanted, t.group.account));
    isKept = true;
    return 0;
  } finally {
    if (!isKept) {
      AIO_REQUESTS.give(wanted, t.group.account);
      ring?.drop();
    }
  }
}

/** Maps the ring: its address, or -errno. The area cannot grow. */
function mapRing(t: Task, ring: AioRing): number {
  const at = t.mm.mmap(0, ring.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
  if (at >= 0) t.mm.vmas.find(at)!.flags |= VM_SPECIAL;
  return at;
}

function contextOf(t: Task, id: number): AioContext | null {
  return t.group.aio?.byId.get(id) ?? null;
}

/** io_destroy(2). */
export function sysIoDestroy(t: Task, a: SyscallArgs): number {
  const context = contextOf(t, a.u64(0));
  if (context === null) return -EINVAL;
  t.group.aio?.byId.delete(context.id);
  t.mm.munmap(context.id, context.ring.bytes);
  context.destroy();
  return 0;
}

/** io_submit(2): the number of requests taken, or the error of the first one. */
export function sysIoSubmit(t: Task, a: SyscallArgs): number {
  const context = contextOf(t, a.u64(0)), count = a.i64(1), list = a.u64(2);
  const { progress } = t;
  if (count < 0 || context === null) return progress.done > 0 ? progress.done : -EINVAL;
  while (progress.done < count && progress.done < context.capacity) {
    const addr = t.mm.load64(list + 8 * progress.done);
    const r = addr < 0 ? -EFAULT : submit(t, context, addr);
    if (r === BLOCK) return r;
    if (r < 0) return progress.done > 0 ? progress.done : r;
    progress.done++;
    if (t.kernel.now() > t.kernel.clock.nowNs + TURN_NS) {
      return t.yieldTurn() === BLOCK ? BLOCK : progress.done;
    }
  }
  return progress.done;
}

/** Submits one request: 0, -errno, or BLOCK for a file that must wait. */
function submit(t: Task, context: AioContext, addr: number): number {
  const { u8, dv } = t.kernel.scratch;
  if (t.mm.copyIn(u8, 0, addr, A.Iocb.size) !== 0) return -EFAULT;
  if (readWord(dv, I.reserved2) !== 0) return -EINVAL;
  if (!context.hasRoom) return -EAGAIN;
  const file = t.files.get(dv.getUint32(I.fildes, true) | 0);
  if (file === null) return -EBADF;
  const event = new AioEvent();
  event.obj = addr;
  event.dataLo = dv.getUint32(I.data, true);
  event.dataHi = dv.getUint32(I.data + 4, true);
  let eventFile: EventFile | null = null;
  if ((dv.getUint32(I.flags, true) & A.IOCB_FLAG_RESFD) !== 0) {
    const target = t.files.get(dv.getUint32(I.resfd, true) | 0);
    if (target === null) return -EBADF;
    if (!(target instanceof EventFile)) return -EINVAL;
    eventFile = target;
  }
  const opcode = dv.getUint16(I.opcode, true), events = readWord(dv, I.buf);
  const r = opcode === A.IOCB_CMD_POLL ? checkPoll(dv) : perform(t, file, opcode, event);
  if (r < 0) return r;
  if (t.mm.store32(addr + I.key, 0) !== 0) return -EFAULT;
  event.eventFile = eventFile?.hold() ?? null;
  if (opcode === A.IOCB_CMD_POLL) context.poll(file, (events & 0xffff) | POLLERR | POLLHUP, event);
  else context.complete(event);
  return 0;
}

function readWord(dv: DataView, at: number): number {
  return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
}

function checkPoll(dv: DataView): number {
  const isPlain = readWord(dv, I.buf) < 0x10000 && readWord(dv, I.nbytes) === 0 &&
    readWord(dv, I.offset) === 0;
  return isPlain ? 0 : -EINVAL;
}

/**
 * Performs a request at once. 0: the event has the result that read(2) and so on would return;
 * -errno for a bad request; BLOCK.
 */
function perform(t: Task, file: OpenFile, opcode: number, event: AioEvent): number {
  const { dv } = t.kernel.scratch;
  switch (opcode) {
    case A.IOCB_CMD_PREAD:
    case A.IOCB_CMD_PREADV:
      return transfer(t, file, opcode === A.IOCB_CMD_PREADV, false, event);
    case A.IOCB_CMD_PWRITE:
    case A.IOCB_CMD_PWRITEV:
      return transfer(t, file, opcode === A.IOCB_CMD_PWRITEV, true, event);
    case A.IOCB_CMD_FSYNC:
    case A.IOCB_CMD_FDSYNC:
      if (
        readWord(dv, I.buf) !== 0 || readWord(dv, I.nbytes) !== 0 || readWord(dv, I.offset) !== 0
      ) {
        return -EINVAL;
      }
      if (dv.getInt32(I.rwFlags, true) !== 0) return -EINVAL;
      event.result = file.fsync(opcode === A.IOCB_CMD_FDSYNC);
      return 0;
    default:
      return -EINVAL;
  }
}

/**
 * Reads or writes, as `perform`. Long transfers of a file with positions are cut into slices, each
 * in a turn of its own; `progress.value` is the number of bytes done.
 */
function transfer(
  t: Task,
  file: OpenFile,
  isVector: boolean,
  isWrite: boolean,
  event: AioEvent,
): number {
  const { progress, io } = t, { dv } = t.kernel.scratch;
  const buf = readWord(dv, I.buf), count = readWord(dv, I.nbytes), offset = offsetOf(dv);
  const flags = dv.getUint32(I.rwFlags, true), wrong = checkFlags(file, flags, isWrite);
  if (wrong < 0) return wrong;
  if (!(isWrite ? file.canWrite : file.canRead)) return -EBADF;
  const r = isVector ? io.setIov(buf, count) : io.set(buf, count);
  if (r < 0 || offset < 0) return r < 0 ? r : -EINVAL;
  if (progress.value > 0) io.advance(Math.min(progress.value, io.remaining));
  const isLast = io.remaining <= file.sliceBytes;
  io.limit(file.sliceBytes);
  const wanted = io.remaining, at = file.isSeekable ? offset + progress.value : -1;
  const n = isWrite ? write(t, file, at, flags) : file.read(io, at);
  if (n === -EAGAIN && progress.value === 0 && !isImmediate(file, flags)) {
    return isWrite ? waitWritable(t, file) : waitReadable(t, file);
  }
  if (n > 0) progress.value += n;
  if (n === wanted && !isLast && file.isSeekable) {
    return t.yieldTurn() === BLOCK ? BLOCK : transfer(t, file, isVector, isWrite, event);
  }
  event.result = n < 0 && progress.value === 0 ? n : progress.value;
  progress.value = 0;
  return 0;
}

/** Writes one slice. */
function write(t: Task, file: OpenFile, at: number, flags: number): number {
  if (at < 0) return file.write(t.io, -1);
  const end = (flags & RWF_APPEND) !== 0 ? file.inode.size : at;
  return synced(file, writeWith(t, file, end, flags | RWF_NOWAIT), flags);
}

/** The offset of the request; -1 when it is negative. */
function offsetOf(dv: DataView): number {
  return dv.getInt32(I.offset + 4, true) < 0 ? -1 : readWord(dv, I.offset);
}

/** io_cancel(2): only polls can be pending. Their event is stored as for all requests. */
export function sysIoCancel(t: Task, a: SyscallArgs): number {
  const obj = a.u64(1), key = t.mm.load32(obj + I.key);
  if (key < 0) return -EFAULT;
  const context = key === 0 ? contextOf(t, a.u64(0)) : null;
  return context !== null && context.cancel(obj) ? -EINPROGRESS : -EINVAL;
}

/** io_getevents(2). */
export function sysIoGetevents(t: Task, a: SyscallArgs): number {
  if (t.progress.deadlineNs < 0) {
    const r = readTimeout(t, a.u64(4));
    if (r < 0) return r;
  }
  return getEvents(t, a);
}

/** io_pgetevents(2): with a signal mask for the duration of the wait. */
export function sysIoPgetevents(t: Task, a: SyscallArgs): number {
  if (t.progress.deadlineNs < 0) {
    const r = readTimeout(t, a.u64(4));
    if (r < 0) return r;
  }
  if (a.u64(5) !== 0) {
    const set = t.mm.load64(a.u64(5)), size = t.mm.load64(a.u64(5) + 8);
    if (set < 0 || size < 0) return -EFAULT;
    const r = useMask(t, set, size);
    if (r < 0) return r;
  }
  const r = getEvents(t, a);
  if (r !== BLOCK && !isRestartCode(r)) restoreMask(t);
  return r;
}

/** Copies events out until `min` are delivered; `progress.done` is the number so far. */
function getEvents(t: Task, a: SyscallArgs): number {
  const context = contextOf(t, a.u64(0)), min = a.i64(1), most = a.i64(2), out = a.u64(3);
  const { progress } = t;
  if (context === null) return progress.done > 0 ? progress.done : -EINVAL;
  if (min > most || min < 0) return -EINVAL;
  while (progress.done < most) {
    const event = context.ring.first();
    if (event < 0) break;
    if (storeEvent(t, out + progress.done * A.IoEvent.size, event) !== 0) {
      return progress.done > 0 ? progress.done : -EFAULT;
    }
    context.ring.shift();
    progress.done++;
  }
  if (progress.done >= min || t.kernel.now() >= progress.deadlineNs) return progress.done;
  const r = t.waitFor(context.waitQueue, 0);
  if (r === BLOCK) return t.waitUntil(progress.deadlineNs);
  return progress.done > 0 ? progress.done : r;
}

/**
 * Copies one event out, from arena offset `event`. It is read once, because the process can change
 * it.
 */
function storeEvent(t: Task, addr: number, event: number): number {
  const { dv, u8 } = t.kernel.scratch, { words } = t.kernel.memory.arena;
  for (let i = 0; i < A.IoEvent.size; i += 4) dv.setInt32(i, words[(event + i) / 4]!, true);
  return t.mm.copyOut(addr, u8, 0, A.IoEvent.size);
}
