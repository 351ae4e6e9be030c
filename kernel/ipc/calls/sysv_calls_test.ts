import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import * as I from "../../../ffi/abi/ipc.ts";
import { CallLab } from "../../testing/call_lab.ts";
import * as msg from "./msg.ts";
import * as sem from "./sem.ts";
import * as shm from "./shm.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 999_999, MINUS = -1 >>> 0, MINUS64 = 2 ** 64 - 2 ** 11;
const NOWAIT = I.IPC_NOWAIT, BLOCK = "-4096";

/** An array of struct sembuf: number, change, flags. */
function operations(lab: CallLab, ...list: readonly [number, number, number][]): number {
  const dv = new DataView(new ArrayBuffer(6 * list.length));
  list.flat().forEach((value, i) => dv.setInt16(2 * i, value, true));
  lab.poke(IN, new Uint8Array(dv.buffer));
  return lab.memory + IN;
}

Deno.test("semget: how many, and keys that are not there", () => {
  const lab = new CallLab();
  for (const n of [0, MINUS, 32001]) {
    assertEquals(lab.call(sem.sysSemget, I.IPC_PRIVATE, n, 0o600), "EINVAL");
  }
  assertEquals(lab.call(sem.sysSemget, 4242, 1, 0o600), "ENOENT");
  const id = lab.call(sem.sysSemget, 4242, 2, 0o600 | I.IPC_CREAT);
  assertEquals(lab.call(sem.sysSemget, 4242, 2, 0o600 | I.IPC_CREAT), id);
  assertEquals(lab.call(sem.sysSemget, 4242, 3, 0o600), "EINVAL", "there are fewer");
  assertEquals(lab.call(sem.sysSemget, 4242, 2, 0o600 | I.IPC_CREAT | I.IPC_EXCL), "EEXIST");
});

Deno.test("semop: counts, the pointer, the set, numbers; all or nothing", () => {
  const lab = new CallLab(), { sysSemop, sysSemctl } = sem;
  const id = Number(lab.call(sem.sysSemget, I.IPC_PRIVATE, 2, 0o600));
  const op = (...list: [number, number, number][]) => {
    const at = operations(lab, ...list);
    return lab.call(sysSemop, id, at, list.length);
  };
  assertEquals(lab.call(sysSemop, NONE, BAD, 0), "EINVAL");
  assertEquals(lab.call(sysSemop, NONE, BAD, 501), "E2BIG");
  assertEquals(lab.call(sysSemop, NONE, BAD, 1), "EFAULT");
  assertEquals(lab.call(sysSemop, MINUS, operations(lab, [9, 1, 0]), 1), "EINVAL");
  assertEquals(op([2, 1, 0]), "EFBIG");
  assertEquals(op([0, -1, NOWAIT]), "EAGAIN");
  assertEquals([op([0, 32767, 0]), op([0, 1, 0])], [0, "ERANGE"]);
  assertEquals(op([0, -32767, 0], [1, -1, NOWAIT]), "EAGAIN");
  assertEquals(lab.call(sysSemctl, id, 0, I.GETVAL, 0), 32767, "nothing was taken");
  assertEquals(op([1, -1, 0]), BLOCK);
});

Deno.test("semtimedop: an invalid time is found after the count, and before the set", () => {
  const lab = new CallLab(), { sysSemtimedop } = sem, wrong = lab.words(64, 64, 0, 1e9);
  assertEquals(lab.call(sysSemtimedop, NONE, BAD, 501, BAD), "EFAULT");
  assertEquals(lab.call(sysSemtimedop, NONE, BAD, 501, wrong), "E2BIG");
  assertEquals(lab.call(sysSemtimedop, NONE, BAD, 1, wrong), "EINVAL");
  const id = Number(lab.call(sem.sysSemget, I.IPC_PRIVATE, 1, 0o600));
  const zero = lab.words(64, 64, 0, 0), at = operations(lab, [0, -1, 0]);
  assertEquals(lab.call(sysSemtimedop, id, at, 1, zero), "EAGAIN");
  assertEquals(lab.call(sem.sysSemctl, id, 0, I.GETNCNT, 0), 0, "it waits no more");
});

Deno.test("semctl: commands, sets, numbers, values, pointers", () => {
  const lab = new CallLab(), { sysSemctl } = sem;
  const id = Number(lab.call(sem.sysSemget, I.IPC_PRIVATE, 2, 0o600));
  const ask = (num: number, command: number, arg = 0, set = id) =>
    lab.call(sysSemctl, set, num, command, arg);
  const shorts = (a: number, b: number) => lab.words(32, IN, a | b << 16);
  assertEquals([ask(0, I.GETVAL, 0, MINUS), ask(0, 99)], ["EINVAL", "EINVAL"]);
  assertEquals([ask(0, I.IPC_SET, BAD, NONE), ask(0, I.GETVAL, 0, NONE)], ["EFAULT", "EINVAL"]);
  assertEquals([ask(2, I.GETVAL), ask(MINUS, I.GETVAL)], ["EINVAL", "EINVAL"]);
  assertEquals([ask(2, I.SETVAL, MINUS), ask(2, I.SETVAL, 32768)], ["ERANGE", "ERANGE"]);
  assertEquals(ask(2, I.SETVAL, 1), "EINVAL");
  for (const command of [I.GETALL, I.SETALL, I.IPC_STAT, I.IPC_SET]) {
    assertEquals(ask(0, command, BAD), "EFAULT");
  }
  assertEquals(ask(0, I.SETALL, shorts(1, 32768)), "ERANGE");
  assertEquals([ask(0, I.SETALL, shorts(3, 4)), ask(1, I.GETVAL), ask(1, I.GETPID)], [0, 4, 1]);
  assertEquals(ask(0, I.GETALL, lab.memory + OUT), 0);
  assertEquals(lab.readWords(32, OUT, 1), [3 | 4 << 16]);
  assertEquals([ask(0, I.IPC_RMID), ask(0, I.GETVAL)], [0, "EINVAL"]);
});

/** A struct msgbuf: its type and its text. */
function message(lab: CallLab, type: number, text: string): number {
  lab.poke(IN + 8, new TextEncoder().encode(text));
  return lab.words(64, IN, type);
}

Deno.test("msgsnd: the type's pointer, sizes and ids, types, the text, the queue", () => {
  const lab = new CallLab(), { sysMsgsnd } = msg;
  const id = Number(lab.call(msg.sysMsgget, I.IPC_PRIVATE, 0o600));
  assertEquals(lab.call(msg.sysMsgget, 4242, 0o600), "ENOENT");
  assertEquals(lab.call(sysMsgsnd, MINUS, BAD, 1, 0), "EFAULT");
  assertEquals(lab.call(sysMsgsnd, NONE, message(lab, 1, ""), 9000, 0), "EINVAL");
  for (const type of [0, -1]) {
    assertEquals(lab.call(sysMsgsnd, id, message(lab, type, "x"), 1, 0), "EINVAL");
  }
  assertEquals(lab.call(sysMsgsnd, id, message(lab, 1, ""), 8193, 0), "EINVAL");
  assertEquals(lab.call(sysMsgsnd, NONE, lab.edge(8), 8, 0), "EINVAL", "no type");
  assertEquals(lab.call(sysMsgsnd, NONE, message(lab, 1, "x"), 1, 0), "EINVAL");
  const long = message(lab, 1, "");
  assertEquals([lab.call(sysMsgsnd, id, long, 8192, 0), lab.call(sysMsgsnd, id, long, 8192, 0)], [
    0,
    0,
  ]);
  assertEquals(lab.call(sysMsgsnd, id, long, 1, NOWAIT), "EAGAIN", "16 KiB are in it");
  assertEquals(lab.call(sysMsgsnd, id, long, 1, 0), BLOCK);
});

Deno.test("msgrcv: the choice of a message, long messages, messages that stay", () => {
  const lab = new CallLab(), { sysMsgrcv, sysMsgsnd } = msg, out = lab.memory + OUT;
  const id = Number(lab.call(msg.sysMsgget, I.IPC_PRIVATE, 0o600));
  const put = (type: number, text: string) =>
    assertEquals(lab.call(sysMsgsnd, id, message(lab, type, text), text.length, 0), 0);
  const take = (size: number, type: number, flags: number) =>
    lab.call(sysMsgrcv, id, out, size, type, flags);
  put(5, "hello");
  put(3, "low");
  assertEquals(lab.call(sysMsgrcv, MINUS, BAD, 1, 0, 0), "EINVAL");
  assertEquals(take(MINUS64, 0, 0), "EINVAL");
  assertEquals(take(9, 0, I.MSG_COPY), "EINVAL", "without IPC_NOWAIT");
  assertEquals(take(9, 0, I.MSG_COPY | I.MSG_EXCEPT | NOWAIT), "EINVAL");
  assertEquals(take(2, 5, NOWAIT), "E2BIG");
  assertEquals([take(9, 1, I.MSG_COPY | NOWAIT), lab.textAt(OUT + 8, 3)], [3, "low"]);
  assertEquals(take(9, 2, I.MSG_COPY | NOWAIT), "ENOMSG");
  assertEquals([take(9, 5, I.MSG_EXCEPT | NOWAIT), lab.readWords(64, OUT, 1)], [3, [3]]);
  put(3, "low");
  const minusFour = 2 ** 64 - 2 ** 12;
  assertEquals([take(9, minusFour, NOWAIT), lab.readWords(64, OUT, 1)], [3, [3]], "the lowest");
  assertEquals([take(2, 5, I.MSG_NOERROR), lab.textAt(OUT + 8, 2)], [2, "he"]);
  assertEquals([take(9, 0, NOWAIT), take(9, 0, 0)], ["ENOMSG", BLOCK]);
  put(7, "lost");
  assertEquals(lab.call(sysMsgrcv, id, BAD, 9, 0, 0), "EFAULT");
  assertEquals(take(9, 0, NOWAIT), "ENOMSG", "a message that cannot be stored is lost");
});

Deno.test("msgctl: commands, pointers, queues", () => {
  const lab = new CallLab(), { sysMsgctl } = msg, at = I.Msqid64Ds.at;
  const id = Number(lab.call(msg.sysMsgget, I.IPC_PRIVATE, 0o640));
  assertEquals(lab.call(sysMsgctl, MINUS, I.IPC_STAT, BAD), "EINVAL");
  assertEquals(lab.call(sysMsgctl, id, MINUS, BAD), "EINVAL");
  assertEquals(lab.call(sysMsgctl, id, 99, BAD), "EINVAL");
  assertEquals(lab.call(sysMsgctl, NONE, I.IPC_SET, BAD), "EFAULT");
  assertEquals(lab.call(sysMsgctl, NONE, I.IPC_STAT, BAD), "EINVAL");
  assertEquals(lab.call(sysMsgctl, id, I.IPC_STAT, BAD), "EFAULT");
  lab.kernel.current = lab.task;
  lab.call(msg.sysMsgsnd, id, message(lab, 1, "12345"), 5, 0);
  assertEquals(lab.call(sysMsgctl, id, I.IPC_STAT, lab.memory + OUT), 0);
  const [bytes] = lab.readWords(64, OUT + at.cbytes, 1),
    [count] = lab.readWords(64, OUT + at.qnum, 1);
  assertEquals([bytes, count, lab.readWords(32, OUT + at.lspid, 1)], [5, 1, [1]]);
  assertEquals(lab.call(sysMsgctl, id, I.IPC_RMID, 0), 0);
  assertEquals(lab.call(sysMsgctl, id, I.IPC_STAT, lab.memory + OUT), "EINVAL");
});

Deno.test("shmget and shmat: sizes, addresses, then the segment", () => {
  const lab = new CallLab(), { sysShmat, sysShmget } = shm;
  assertEquals(lab.call(sysShmget, I.IPC_PRIVATE, 0, 0o600), "EINVAL");
  assertEquals(lab.call(sysShmget, I.IPC_PRIVATE, 2 ** 62, 0o600), "ENOMEM");
  assertEquals(lab.call(sysShmget, 4242, 1, 0o600), "ENOENT");
  const id = Number(lab.call(sysShmget, I.IPC_PRIVATE, 5000, 0o600));
  assertEquals(lab.call(sysShmat, MINUS, 0, 0), "EINVAL");
  assertEquals(lab.call(sysShmat, id, 1, 0), "EINVAL", "not at a page");
  assertEquals(lab.call(sysShmat, id, 1, I.SHM_RND | I.SHM_REMAP), "EINVAL", "rounded to 0");
  assertEquals(lab.call(sysShmat, id, 0, I.SHM_REMAP), "EINVAL");
  assertEquals(lab.call(sysShmat, NONE, 0, 0), "EINVAL");
  const at = Number(lab.call(sysShmat, id, 0, 0));
  assertEquals(lab.call(sysShmat, id, at, 0), "EINVAL", "there is something");
  assertEquals(lab.call(sysShmat, id, at + 5, I.SHM_RND | I.SHM_REMAP), at);
  lab.task.mm.store8(at + 4999, 7);
  const other = Number(lab.call(sysShmat, id, 0, I.SHM_RDONLY));
  assertEquals([lab.task.mm.load8(other + 4999), lab.task.mm.store8(other, 1) < 0], [7, true]);
});

Deno.test("shmdt and shmctl: attachments are counted, a removed segment lives on in them", () => {
  const lab = new CallLab(), { sysShmctl, sysShmdt } = shm, ds = I.Shmid64Ds.at;
  const id = Number(lab.call(shm.sysShmget, I.IPC_PRIVATE, 5000, 0o600));
  const at = Number(lab.call(shm.sysShmat, id, 0, 0)), out = lab.memory + OUT;
  assertEquals([lab.call(sysShmdt, at + 1), lab.call(sysShmdt, at + PAGE_SIZE)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals(lab.call(sysShmctl, MINUS, I.IPC_STAT, BAD), "EINVAL");
  assertEquals(lab.call(sysShmctl, id, 99, BAD), "EINVAL");
  assertEquals(lab.call(sysShmctl, NONE, I.IPC_SET, BAD), "EFAULT");
  assertEquals(lab.call(sysShmctl, NONE, I.IPC_STAT, BAD), "EINVAL");
  assertEquals(lab.call(sysShmctl, id, I.IPC_STAT, BAD), "EFAULT");
  assertEquals(lab.call(sysShmctl, id, I.IPC_STAT, out), 0);
  const [bytes] = lab.readWords(64, OUT + ds.segsz, 1),
    [count] = lab.readWords(64, OUT + ds.nattch, 1);
  assertEquals([bytes, count], [5000, 1]);
  assertEquals(lab.call(sysShmctl, id, I.IPC_RMID, 0), 0);
  assertEquals(lab.call(sysShmctl, id, I.IPC_STAT, out), 0, "as long as it is attached");
  assertEquals([lab.call(sysShmdt, at), lab.call(sysShmdt, at)], [0, "EINVAL"]);
  assertEquals(lab.call(sysShmctl, id, I.IPC_STAT, out), "EINVAL");
});
