import { assertEquals, assertMatch } from "@std/assert";
import { RLIMIT_CORE, RLIMIT_NOFILE, Rusage } from "../../../ffi/abi/resource.ts";
import { Sysinfo, Utsname } from "../../../ffi/abi/system.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import * as identity from "./uname.ts";
import * as information from "./information.ts";
import * as limits from "./limits.ts";
import * as lsm from "./lsm.ts";
import * as mounted from "./file_system_queries.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 999_999, MINUS = -1 >>> 0, KERNEL = 2 ** 63;

function becomeOrdinary(lab: CallLab): void {
  const { task } = lab;
  task.cred = { ...task.cred, effective: NO_CAPS, permitted: NO_CAPS };
}

/** A field of struct utsname. */
function uname(lab: CallLab, field: keyof typeof Utsname.at): string {
  assertEquals(lab.call(identity.sysUname, lab.memory + OUT), 0);
  return lab.textAt(OUT + Utsname.at[field], 65).split("\0")[0] ?? "";
}

Deno.test("sethostname and setdomainname: privilege, lengths, pointers, a NUL", () => {
  const lab = new CallLab(), { sysSethostname, sysSetdomainname } = identity;
  assertEquals(lab.call(identity.sysUname, BAD), "EFAULT");
  for (const len of [65, MINUS]) assertEquals(lab.call(sysSethostname, BAD, len), "EINVAL");
  assertEquals(lab.call(sysSethostname, BAD, 5), "EFAULT");
  assertEquals([lab.call(sysSethostname, "a\0b", 3), uname(lab, "nodename")], [0, "a"]);
  const long = "x".repeat(64);
  assertEquals([lab.call(sysSethostname, long, 64), uname(lab, "nodename")], [0, long]);
  assertEquals([lab.call(sysSetdomainname, "dom", 3), uname(lab, "domainname")], [0, "dom"]);
  assertEquals([lab.call(sysSetdomainname, BAD, 0), uname(lab, "domainname")], [0, ""]);
  becomeOrdinary(lab);
  assertEquals(lab.call(sysSethostname, BAD, 65), "EPERM");
});

Deno.test("personality is queried with all bits, and shows in uname", () => {
  const lab = new CallLab(), { sysPersonality } = identity, UNAME26 = 0x20000, LINUX32 = 8;
  assertEquals(lab.call(sysPersonality, 0xffffffff), 0);
  assertEquals([lab.call(sysPersonality, UNAME26), lab.call(sysPersonality, 0xffffffff)], [
    0,
    UNAME26,
  ]);
  assertMatch(uname(lab, "release"), /^2\.6\.\d\d/);
  assertEquals([lab.call(sysPersonality, LINUX32), uname(lab, "machine")], [UNAME26, "i686"]);
  assertEquals([lab.call(sysPersonality, 0), uname(lab, "machine")], [LINUX32, "x86_64"]);
});

Deno.test("getrlimit and setrlimit: the pointer is read before the number is judged", () => {
  const lab = new CallLab(), { sysGetrlimit, sysSetrlimit } = limits;
  const pair = (soft: number, hard: number) => lab.words(64, IN, soft, hard);
  assertEquals([lab.call(sysGetrlimit, 16, BAD), lab.call(sysGetrlimit, 0, BAD)], [
    "EINVAL",
    "EFAULT",
  ]);
  assertEquals(lab.call(sysSetrlimit, 16, BAD), "EFAULT");
  assertEquals(lab.call(sysSetrlimit, 16, pair(0, 0)), "EINVAL");
  assertEquals(lab.call(sysSetrlimit, 0, pair(2, 1)), "EINVAL", "above the hard limit");
  assertEquals(lab.call(sysSetrlimit, RLIMIT_NOFILE, pair(1, 2 ** 40)), "EPERM");
  assertEquals(lab.call(sysSetrlimit, RLIMIT_CORE, pair(5, -1)), 0);
  assertEquals(lab.call(sysGetrlimit, RLIMIT_CORE, lab.memory + OUT), 0);
  assertEquals(lab.readWords(64, OUT, 2), [5, -1], "RLIM_INFINITY");
});

Deno.test("prlimit64: the new pointer, the process, the number; the old pointer last", () => {
  const lab = new CallLab(), { sysPrlimit64 } = limits, out = lab.memory + OUT;
  const pair = (soft: number, hard: number) => lab.words(64, IN, soft, hard);
  assertEquals(lab.call(sysPrlimit64, NONE, 16, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysPrlimit64, NONE, 16, pair(0, 0), 0), "ESRCH");
  assertEquals(lab.call(sysPrlimit64, 0, 16, pair(0, 0), 0), "EINVAL");
  assertEquals(lab.call(sysPrlimit64, 0, 16, 0, BAD), "EINVAL");
  assertEquals(lab.call(sysPrlimit64, 0, RLIMIT_CORE, pair(5, 6), 0), 0);
  assertEquals(lab.call(sysPrlimit64, 1, RLIMIT_CORE, pair(4, 5), BAD), "EFAULT");
  assertEquals(lab.call(sysPrlimit64, 1, RLIMIT_CORE, pair(3, 3), out), 0);
  assertEquals(lab.readWords(64, OUT, 2), [4, 5], "set before the fault");
  becomeOrdinary(lab);
  assertEquals(lab.call(sysPrlimit64, 0, RLIMIT_CORE, pair(3, 4), 0), "EPERM");
  assertEquals(lab.call(sysPrlimit64, 0, RLIMIT_CORE, pair(2, 3), 0), 0);
});

Deno.test("getrusage and times", () => {
  const lab = new CallLab(), { sysGetrusage, sysTimes } = limits, out = lab.memory + OUT;
  for (const which of [2, -2 >>> 0]) assertEquals(lab.call(sysGetrusage, which, BAD), "EINVAL");
  for (const which of [0, MINUS, 1]) assertEquals(lab.call(sysGetrusage, which, BAD), "EFAULT");
  lab.words(64, OUT, ...Array(Rusage.size / 8).fill(-1));
  assertEquals(lab.call(sysGetrusage, MINUS, out), 0);
  assertEquals(
    lab.readWords(64, OUT, Rusage.size / 8),
    Array(Rusage.size / 8).fill(0),
    "no children",
  );
  assertEquals(lab.call(sysTimes, BAD), "EFAULT");
  lab.kernel.host.nowNs = 12e9;
  assertEquals(lab.call(sysTimes, 0), 1200);
});

Deno.test("sysinfo shows the host's memory, and counts a started second", () => {
  const lab = new CallLab(), { at } = Sysinfo;
  lab.kernel.host.nowNs = 4.2e9;
  assertEquals(lab.call(information.sysSysinfo, BAD), "EFAULT");
  assertEquals(lab.call(information.sysSysinfo, lab.memory + OUT), 0);
  assertEquals(lab.readWords(64, OUT + at.uptime, 1), [5]);
  const [total = 0] = lab.readWords(64, OUT + at.totalram, 1);
  const [free = 0] = lab.readWords(64, OUT + at.freeram, 1);
  assertEquals([total, free < total], [lab.kernel.host.memoryBytes, true]);
});

Deno.test("getrandom: flags, then the range; bytes before a fault count", () => {
  const lab = new CallLab(), { sysGetrandom } = information, NONBLOCK = 1, RANDOM = 2, INSECURE = 4;
  for (const flags of [8, RANDOM | INSECURE]) {
    assertEquals(lab.call(sysGetrandom, BAD, 8, flags), "EINVAL");
  }
  assertEquals([lab.call(sysGetrandom, BAD, 0, 0), lab.call(sysGetrandom, BAD, 8, 0)], [
    0,
    "EFAULT",
  ]);
  assertEquals(lab.call(sysGetrandom, KERNEL, 8, 0), "EFAULT");
  assertEquals(lab.call(sysGetrandom, lab.edge(5), 99, NONBLOCK), 5);
  assertEquals(lab.call(sysGetrandom, lab.memory + OUT, 8, RANDOM), 8);
  const [first] = lab.readWords(64, OUT, 1);
  lab.call(sysGetrandom, lab.memory + OUT, 8, INSECURE);
  assertEquals(lab.readWords(64, OUT, 1)[0] === first, false);
});

Deno.test("syslog: the action, the buffer, the level", () => {
  const lab = new CallLab(), { sysSyslog } = information;
  const wrong = [[MINUS, 0, 0], [11, 0, 0], [3, 0, 5], [3, BAD, MINUS], [8, 0, 0], [8, 0, 9], [
    2,
    0,
    1,
  ]] as const;
  for (const args of wrong) assertEquals(lab.call(sysSyslog, ...args), "EINVAL");
  assertEquals(
    [lab.call(sysSyslog, 3, BAD, 5), lab.call(sysSyslog, 8, 0, 4)],
    [0, 0],
    "an empty log",
  );
  becomeOrdinary(lab);
  assertEquals([lab.call(sysSyslog, 2, 0, 1), lab.call(sysSyslog, 11, 0, 0)], ["EPERM", "EPERM"]);
});

Deno.test("calls of administrators: privilege first, except for swapon's flags", () => {
  const lab = new CallLab(), { sysSwapon, sysReboot, sysAcct, sysVhangup } = information;
  assertEquals([lab.call(sysSwapon, BAD, 0x80000), lab.call(sysSwapon, BAD, 0)], [
    "EINVAL",
    "EPERM",
  ]);
  assertEquals(lab.call(sysReboot, 0, 0, 0, 0), "EINVAL");
  assertEquals(lab.call(sysReboot, 0xfee1dead, 1, 0, 0), "EINVAL");
  assertEquals(lab.call(sysReboot, 0xfee1dead, 672274793, 1, 0), "EINVAL");
  becomeOrdinary(lab);
  assertEquals(lab.call(sysReboot, 0, 0, 0, 0), "EPERM");
  assertEquals([lab.call(sysAcct, 0), lab.call(sysVhangup)], ["EPERM", "EPERM"]);
});

Deno.test("sysfs and ustat: options, names, devices", () => {
  const lab = new CallLab(), { sysSysfs, sysUstat } = mounted;
  assertEquals([lab.call(sysSysfs, 0, 0, 0), lab.call(sysSysfs, 4, 0, 0)], ["EINVAL", "EINVAL"]);
  assertEquals(lab.call(sysSysfs, 1, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysSysfs, 1, "nonesuch", 0), "EINVAL");
  assertEquals(lab.call(sysSysfs, 2, NONE, BAD), "EINVAL");
  const { dev } = lab.namespace.root.fs;
  assertEquals(lab.call(sysUstat, 0xfffff, BAD), "EINVAL");
  assertEquals(lab.call(sysUstat, dev, BAD), "EFAULT");
  assertEquals(lab.call(sysUstat, dev, lab.memory + OUT), 0);
});

Deno.test("security modules: sizes, flags, contexts", () => {
  const lab = new CallLab(), out = lab.memory + OUT, size = (n: number) => lab.words(64, IN, n);
  const { sysLsmListModules: list, sysLsmGetSelfAttr: get, sysLsmSetSelfAttr: set } = lsm;
  assertEquals([lab.call(list, BAD, BAD, 1), lab.call(list, BAD, BAD, 0)], ["EINVAL", "EFAULT"]);
  assertEquals([lab.call(list, out, size(7), 0), lab.readWords(32, IN, 1)], ["E2BIG", [16]]);
  assertEquals(lab.call(list, BAD, size(99), 0), "EFAULT");
  assertEquals([lab.call(list, out, size(99), 0), lab.readWords(64, OUT, 2)], [2, [100, 110]]);
  assertEquals([lab.call(get, 0, 0, BAD, 0), lab.call(get, 100, 0, 0, 0)], ["EINVAL", "EINVAL"]);
  assertEquals([lab.call(get, 100, 0, BAD, 0), lab.call(get, 100, BAD, size(64), 1)], [
    "EFAULT",
    "EFAULT",
  ]);
  assertEquals([lab.call(get, 100, 0, size(64), 1), lab.call(get, 100, out, size(64), 2)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.call(set, 100, BAD, 31, 0), lab.call(set, 100, BAD, 4097, 0)], [
    "EINVAL",
    "E2BIG",
  ]);
  assertEquals([lab.call(set, 100, BAD, 32, 1), lab.call(set, 100, BAD, 32, 0)], [
    "EINVAL",
    "EFAULT",
  ]);
});
