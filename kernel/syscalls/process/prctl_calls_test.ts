import { assertEquals } from "@std/assert";
import * as C from "../../../ffi/abi/capability.ts";
import * as P from "../../../ffi/abi/prctl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysCapget, sysCapset } from "./capabilities.ts";
import { sysPrctl } from "./prctl.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 999_999, MINUS = -1 >>> 0;
const V3 = C._LINUX_CAPABILITY_VERSION_3;

class PrctlLab extends CallLab {
  ctl(...args: (number | string)[]): number | string {
    return this.call(sysPrctl, ...args);
  }
  int(): number | undefined {
    return this.readWords(32, OUT, 1)[0];
  }
}

Deno.test("prctl: death signals, dumps, names, slack, reapers", () => {
  const lab = new PrctlLab(), out = lab.memory + OUT;
  assertEquals(lab.ctl(9999), "EINVAL");
  assertEquals([lab.ctl(P.PR_SET_PDEATHSIG, 65), lab.ctl(P.PR_SET_PDEATHSIG, 64)], ["EINVAL", 0]);
  assertEquals(lab.ctl(P.PR_GET_PDEATHSIG, BAD), "EFAULT");
  assertEquals([lab.ctl(P.PR_GET_PDEATHSIG, out), lab.int()], [0, 64]);
  assertEquals([lab.ctl(P.PR_SET_DUMPABLE, 2), lab.ctl(P.PR_SET_DUMPABLE, 3)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.ctl(P.PR_SET_DUMPABLE, 0), lab.ctl(P.PR_GET_DUMPABLE)], [0, 0]);
  assertEquals([lab.ctl(P.PR_SET_NAME, BAD), lab.ctl(P.PR_GET_NAME, BAD)], ["EFAULT", "EFAULT"]);
  assertEquals(lab.ctl(P.PR_SET_NAME, "0123456789abcdefgh"), 0);
  assertEquals([lab.ctl(P.PR_GET_NAME, out), lab.textAt(OUT, 16)], [0, "0123456789abcde\0"]);
  assertEquals([lab.ctl(P.PR_SET_TIMING, 1), lab.ctl(P.PR_GET_TIMING)], ["EINVAL", 0]);
  assertEquals([lab.ctl(P.PR_SET_TSC, 3), lab.ctl(P.PR_SET_TSC, 1)], ["EINVAL", 0]);
  assertEquals([lab.ctl(P.PR_SET_TIMERSLACK, 777), lab.ctl(P.PR_GET_TIMERSLACK)], [0, 777]);
  assertEquals([lab.ctl(P.PR_SET_TIMERSLACK, 0), lab.ctl(P.PR_GET_TIMERSLACK)], [0, 50_000]);
  assertEquals(lab.ctl(P.PR_SET_CHILD_SUBREAPER, 5), 0);
  assertEquals([lab.ctl(P.PR_GET_CHILD_SUBREAPER, out), lab.int()], [0, 1]);
  assertEquals(lab.ctl(P.PR_GET_CHILD_SUBREAPER, BAD), "EFAULT");
});

Deno.test("prctl: arguments that must be 0", () => {
  const lab = new PrctlLab();
  assertEquals(lab.ctl(P.PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0), "EINVAL");
  assertEquals(lab.ctl(P.PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), "EINVAL");
  assertEquals(lab.ctl(P.PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0), "EINVAL");
  assertEquals(lab.ctl(P.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
  assertEquals(lab.ctl(P.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  assertEquals(lab.ctl(P.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  assertEquals(lab.ctl(P.PR_SET_THP_DISABLE, 1, 1, 0, 0), "EINVAL");
  assertEquals(lab.ctl(P.PR_GET_THP_DISABLE, 1, 0, 0, 0), "EINVAL");
  assertEquals([lab.ctl(P.PR_SET_THP_DISABLE, 7), lab.ctl(P.PR_GET_THP_DISABLE)], [0, 1]);
  assertEquals(lab.ctl(P.PR_GET_SPECULATION_CTRL, 0, 1), "EINVAL");
});

Deno.test("PR_MCE_KILL and PR_SET_MDWE", () => {
  const lab = new PrctlLab(), mce = (...args: number[]) => lab.ctl(P.PR_MCE_KILL, ...args);
  const mdwe = (...args: number[]) => lab.ctl(P.PR_SET_MDWE, ...args);
  assertEquals([mce(0, 1), mce(1, 3), mce(2, 0), mce(1, 1, 1)], Array(4).fill("EINVAL"));
  assertEquals([mce(1, 1), lab.ctl(P.PR_MCE_KILL_GET)], [0, 1]);
  assertEquals([mce(0, 0), lab.ctl(P.PR_MCE_KILL_GET)], [0, 2]);
  assertEquals(lab.ctl(P.PR_MCE_KILL_GET, 1), "EINVAL");
  assertEquals([mdwe(2), mdwe(4), mdwe(1, 1)], Array(3).fill("EINVAL"));
  assertEquals([mdwe(1), mdwe(3), mdwe(0)], [0, "EPERM", "EPERM"]);
  assertEquals([lab.ctl(P.PR_GET_MDWE), lab.ctl(P.PR_GET_MDWE, 1)], [1, "EINVAL"]);
});

Deno.test("securebits, the bounding set, the ambient set", () => {
  const lab = new PrctlLab(), bits = (value: number) => lab.ctl(P.PR_SET_SECUREBITS, value);
  const ambient = (...args: number[]) => lab.ctl(P.PR_CAP_AMBIENT, ...args);
  assertEquals([lab.ctl(P.PR_SET_KEEPCAPS, 2), lab.ctl(P.PR_SET_KEEPCAPS, 1)], ["EINVAL", 0]);
  assertEquals([lab.ctl(P.PR_GET_KEEPCAPS), lab.ctl(P.PR_GET_SECUREBITS)], [1, 16]);
  assertEquals(bits(0x30), 0, "kept, and locked");
  assertEquals(lab.ctl(P.PR_SET_KEEPCAPS, 0), "EPERM");
  assertEquals([bits(0), bits(0x130), bits(0x30)], ["EPERM", "EPERM", 0]);
  assertEquals([lab.ctl(P.PR_CAPBSET_READ, 64), lab.ctl(P.PR_CAPBSET_DROP, 99)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.ctl(P.PR_CAPBSET_READ, 5), lab.ctl(P.PR_CAPBSET_DROP, 5)], [1, 0]);
  assertEquals(lab.ctl(P.PR_CAPBSET_READ, 5), 0);
  assertEquals([ambient(4, 1), ambient(4), ambient(1, 5, 1)], ["EINVAL", 0, "EINVAL"]);
  assertEquals([ambient(1, 99), ambient(9, 5), ambient(1, 5)], ["EINVAL", "EINVAL", 0]);
  assertEquals(ambient(2, 6), "EPERM", "not inheritable");
});

/** A struct __user_cap_header_struct. */
function header(lab: CallLab, version: number, pid = 0): number {
  return lab.words(32, IN, version, pid);
}

Deno.test("capget: the version, the process, the pointer", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  assertEquals(lab.call(sysCapget, BAD, out), "EFAULT");
  assertEquals(lab.call(sysCapget, header(lab, 1), out), "EINVAL");
  assertEquals(lab.readWords(32, IN, 1), [V3], "the version that is liked");
  assertEquals(lab.call(sysCapget, header(lab, 1), 0), 0);
  assertEquals(lab.call(sysCapget, header(lab, V3, NONE), 0), 0);
  assertEquals(lab.call(sysCapget, header(lab, V3, MINUS), out), "EINVAL");
  assertEquals(lab.call(sysCapget, header(lab, V3, NONE), out), "ESRCH");
  assertEquals(lab.call(sysCapget, header(lab, V3), BAD), "EFAULT");
});

Deno.test("capset: nothing comes back", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  const set = (...words: number[]) =>
    lab.words(32, 64, ...words, ...Array(6 - words.length).fill(0));
  assertEquals(lab.call(sysCapset, header(lab, 1), BAD), "EINVAL");
  assertEquals(lab.call(sysCapset, header(lab, V3, NONE), BAD), "EPERM");
  assertEquals(lab.call(sysCapset, header(lab, V3), BAD), "EFAULT");
  assertEquals(lab.call(sysCapset, header(lab, V3), set(1, 0, 0)), "EPERM", "not permitted");
  assertEquals(lab.call(sysCapset, header(lab, V3), set(1, 3, 0)), 0);
  assertEquals(lab.call(sysCapset, header(lab, V3), set(1, 7, 0)), "EPERM");
  assertEquals(lab.call(sysCapset, header(lab, V3), set(0, 0, 4)), "EPERM");
  assertEquals(lab.call(sysCapget, header(lab, V3), out), 0);
  assertEquals(lab.readWords(32, OUT, 6), [1, 3, 0, 0, 0, 0]);
});
