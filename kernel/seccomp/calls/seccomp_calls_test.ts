import { assertEquals } from "@std/assert";
import * as S from "../../../ffi/abi/seccomp.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { setSeccomp, sysSeccomp } from "./seccomp.ts";

const BAD = 8, PROGRAM = 0, CODE = 64, OUT = 4096;
const ALLOW: readonly number[] = [6, 0x7fff0000];

class SeccompLab extends CallLab {
  /** The address of a struct sock_fprog with instructions of a code and a constant. */
  program(code: readonly number[] = ALLOW, length: number = code.length / 2): number {
    const words = code.map((value, i) => i % 2 === 0 ? value : value | 0);
    this.words(32, CODE, ...words);
    return this.words(64, PROGRAM, length, this.memory + CODE);
  }
  filter(flags: number, program: number = this.program()): number | string {
    return this.call(sysSeccomp, S.SECCOMP_SET_MODE_FILTER, flags, program);
  }
}

Deno.test("seccomp: operations, actions, sizes of notifications", () => {
  const lab = new SeccompLab(), out = lab.memory + OUT;
  const ask = (...args: number[]) => lab.call(sysSeccomp, ...args);
  assertEquals([ask(9, 0, 0), ask(S.SECCOMP_SET_MODE_STRICT, 1, 0)], ["EINVAL", "EINVAL"]);
  assertEquals(ask(S.SECCOMP_SET_MODE_STRICT, 0, out), "EINVAL");
  const actions = S.SECCOMP_GET_ACTION_AVAIL, sizes = S.SECCOMP_GET_NOTIF_SIZES;
  assertEquals([ask(actions, 1, out), ask(actions, 0, BAD)], ["EINVAL", "EFAULT"]);
  assertEquals(ask(actions, 0, lab.words(32, OUT, 0x7fff0000)), 0);
  assertEquals(ask(actions, 0, lab.words(32, OUT, 0x12340000)), "EOPNOTSUPP");
  assertEquals([ask(sizes, 1, out), ask(sizes, 0, BAD)], ["EINVAL", "EFAULT"]);
  assertEquals(ask(sizes, 0, out), 0);
  const v = lab.view(OUT, 6);
  assertEquals([v.getUint16(0, true), v.getUint16(2, true), v.getUint16(4, true)], [80, 24, 64]);
});

Deno.test("a filter: flags, its struct, privilege, its program", () => {
  const lab = new SeccompLab(), { cred } = lab.task;
  const listener = S.SECCOMP_FILTER_FLAG_NEW_LISTENER, sync = S.SECCOMP_FILTER_FLAG_TSYNC;
  assertEquals([lab.filter(1 << 10), lab.filter(listener | sync)], ["EINVAL", "EINVAL"]);
  assertEquals(lab.filter(S.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), "EINVAL");
  assertEquals(lab.filter(0, BAD), "EFAULT");
  assertEquals([lab.filter(0, lab.program(ALLOW, 0)), lab.filter(0, lab.program(ALLOW, 4097))], [
    "EINVAL",
    "EINVAL",
  ]);
  lab.task.cred = { ...cred, effective: NO_CAPS };
  assertEquals(lab.filter(0), "EACCES");
  lab.task.cred = { ...cred, effective: NO_CAPS, noNewPrivs: true };
  assertEquals(lab.filter(0, lab.words(64, PROGRAM, 1, 0)), "EINVAL");
  assertEquals(lab.filter(0, lab.words(64, PROGRAM, 1, BAD)), "EFAULT");
  assertEquals(lab.filter(0, lab.program([0xffff, 0])), "EINVAL");
  assertEquals(lab.filter(0, lab.program([0, 0])), "EINVAL", "it does not end with a verdict");
  assertEquals([lab.filter(0), lab.filter(sync)], [0, 0]);
  assertEquals([lab.filter(listener), lab.task.files.isCloexec(0)], [0, true]);
  assertEquals(lab.filter(listener), "EBUSY", "one listener for all filters");
  assertEquals(lab.task.files.get(1), null);
});

Deno.test("prctl(PR_SET_SECCOMP) has two modes, and strict stays strict", () => {
  const lab = new SeccompLab(),
    set = (mode: number, addr: number) => lab.call((t) => setSeccomp(t, mode, addr));
  assertEquals([set(0, 0), set(3, 0)], ["EINVAL", "EINVAL"]);
  assertEquals(set(S.SECCOMP_MODE_STRICT, 0), 0);
  assertEquals(set(S.SECCOMP_MODE_FILTER, lab.program()), "EINVAL");
});
