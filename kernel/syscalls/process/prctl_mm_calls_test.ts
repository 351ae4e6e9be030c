import { assertEquals } from "@std/assert";
import * as P from "../../../ffi/abi/prctl.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { IN_GUEST } from "../../core/result.ts";
import { sysArchPrctl } from "./arch_prctl.ts";
import { sysPrctl } from "./prctl.ts";

const BAD = 8, MAP = 512, OUT = 4096, NOWHERE = 2 ** 47;

function setMm(lab: CallLab, what: number, addr: number, size = 0, last = 0): number | string {
  return lab.call(sysPrctl, P.PR_SET_MM, what, addr, size, last);
}

Deno.test("PR_SET_MM: each address, ranges, privilege", () => {
  const lab = new CallLab(), { program } = lab.task.mm, at = lab.memory;
  const fields: readonly [number, () => number][] = [
    [P.PR_SET_MM_START_CODE, () => program.codeStart],
    [P.PR_SET_MM_END_CODE, () => program.codeEnd],
    [P.PR_SET_MM_START_DATA, () => program.dataStart],
    [P.PR_SET_MM_END_DATA, () => program.dataEnd],
    [P.PR_SET_MM_START_STACK, () => program.stackStart],
    [P.PR_SET_MM_ARG_START, () => program.argStart],
    [P.PR_SET_MM_ARG_END, () => program.argEnd],
    [P.PR_SET_MM_ENV_START, () => program.envStart],
    [P.PR_SET_MM_ENV_END, () => program.envEnd],
  ];
  for (const [i, [what, value]] of fields.entries()) {
    assertEquals([setMm(lab, what, at + i), value()], [0, at + i], `${what}`);
  }
  assertEquals(setMm(lab, P.PR_SET_MM_START_CODE, at, 0, 1), "EINVAL");
  assertEquals(setMm(lab, P.PR_SET_MM_START_CODE, BAD), "EINVAL");
  assertEquals(setMm(lab, P.PR_SET_MM_START_CODE, NOWHERE), "EINVAL");
  assertEquals([setMm(lab, 99, at), setMm(lab, P.PR_SET_MM_MAP_SIZE, BAD)], ["EINVAL", "EFAULT"]);
  assertEquals(setMm(lab, P.PR_SET_MM_MAP_SIZE, at + OUT), 0);
  assertEquals(lab.readWords(32, OUT, 1), [P.PrctlMmMap.size]);
  lab.task.cred = { ...lab.task.cred, effective: NO_CAPS };
  assertEquals(setMm(lab, P.PR_SET_MM_START_CODE, at), "EPERM");
});

Deno.test("PR_SET_MM_AUXV and PR_SET_MM_MAP: sizes, order, the vector's end", () => {
  const lab = new CallLab(), { program } = lab.task.mm, at = lab.memory, auxv = P.PR_SET_MM_AUXV;
  assertEquals([setMm(lab, auxv, at, 0), setMm(lab, auxv, at, 12)], ["EINVAL", "EINVAL"]);
  assertEquals([setMm(lab, auxv, at, 376), setMm(lab, auxv, BAD, 32)], ["EINVAL", "EFAULT"]);
  lab.words(64, 0, 3, 4, 5, 6);
  assertEquals([setMm(lab, auxv, at, 32), program.auxv[0], program.auxv[16]], [0, 3, 0]);
  const map = (words: readonly number[], auxvSize = 0, exeFd = -1, size = P.PrctlMmMap.size) => {
    const addr = lab.words(64, MAP, ...words, at);
    lab.words(32, MAP + P.PrctlMmMap.at.auxvSize, auxvSize, exeFd);
    return setMm(lab, P.PR_SET_MM_MAP, addr, size);
  };
  const all = Array.from({ length: 11 }, (_, i) => at + i), first = at + 10;
  assertEquals(map(all, 0, -1, 8), "EINVAL");
  assertEquals(setMm(lab, P.PR_SET_MM_MAP, BAD, P.PrctlMmMap.size), "EFAULT");
  assertEquals(map(all, 0, 3), "EINVAL", "the executable cannot be changed");
  assertEquals([map(all.with(3, BAD)), map(all.with(3, NOWHERE))], ["EINVAL", "EINVAL"]);
  assertEquals(map(all.with(0, first)), "EINVAL", "the end is in front of the start");
  assertEquals(map(all, 376), "EINVAL");
  assertEquals([map(all, 16), program.envEnd, program.auxv.length], [0, at + 10, 16]);
});

Deno.test("PR_SET_VMA_ANON_NAME: what, pointers, characters", () => {
  const lab = new CallLab(),
    name = (text: number | string, what = P.PR_SET_VMA_ANON_NAME) =>
      lab.call(sysPrctl, P.PR_SET_VMA, what, lab.memory, 4096, text);
  assertEquals([name("heap", 1), name(BAD), name("x".repeat(80))], ["EINVAL", "EFAULT", "EINVAL"]);
  assertEquals([name("a]"), name("a\\"), name("a$")], ["EINVAL", "EINVAL", "EINVAL"]);
  assertEquals([name("heap of x"), name(0)], [0, 0]);
});

Deno.test("arch_prctl: bases, CPUID, features", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  const ctl = (what: number, addr = 0) => lab.call(sysArchPrctl, what, addr);
  const inGuest = `${IN_GUEST}`;
  assertEquals([ctl(99), ctl(P.ARCH_SET_FS, NOWHERE), ctl(P.ARCH_SET_GS, NOWHERE)], [
    "EINVAL",
    "EPERM",
    "EPERM",
  ]);
  for (const [set, get] of [[P.ARCH_SET_FS, P.ARCH_GET_FS], [P.ARCH_SET_GS, P.ARCH_GET_GS]]) {
    assertEquals([ctl(set!, 0x1234567890), ctl(get!, BAD), ctl(get!, out)], [
      inGuest,
      "EFAULT",
      0,
    ]);
    assertEquals(lab.readWords(64, OUT, 1), [0x1234567890]);
  }
  assertEquals([ctl(P.ARCH_GET_CPUID), ctl(P.ARCH_SET_CPUID, 1)], [1, "ENODEV"]);
  assertEquals([ctl(P.ARCH_GET_XCOMP_SUPP, out), lab.readWords(64, OUT, 1)[0]! & 3], [0, 3]);
  assertEquals(ctl(P.ARCH_GET_XCOMP_PERM, BAD), "EFAULT");
  assertEquals([ctl(P.ARCH_REQ_XCOMP_PERM, 19), ctl(P.ARCH_REQ_XCOMP_PERM, 18)], [
    "EINVAL",
    "EOPNOTSUPP",
  ]);
});
