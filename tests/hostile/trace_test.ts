/**
 * What the host sees of a sandbox, recorded by strace(1) while guests do ordinary and hostile work:
 * stubs make no call but those of their filter, and the Sentry and the Gofer none but those of
 * their allow-lists. A call that seccomp turned into a signal, or refused, was not served, and does
 * not count. Nor do the filters refuse what those two really need.
 */

import { assert, assertEquals } from "@std/assert";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { seccompRules } from "../../gofer/server/seccomp_rules.ts";
import { SECCOMP_RULES } from "../../oci/boot/seccomp/seccomp_rules.ts";
import { STUB_CALLS } from "../../platform/systrap/stub/filter.ts";
import { doCommand, ROOT } from "../harness/dvisor.ts";
import { isRoot, lacks, named, PYTHON } from "../harness/machine.ts";
import { Session } from "../harness/session.ts";
import { trampoline } from "./trampoline.ts";

const SERVED_STUBS: readonly string[] = [
  ...STUB_CALLS.map((call) => NAMES[call.nr] ?? ""),
  // The call of a restarted wait, which the kernel makes and not the program.
  "restart_syscall",
];

const SENTRY_CALLS: readonly string[] = SECCOMP_RULES.map((rule) => NAMES[rule.nr] ?? "");
const GOFER_CALLS: readonly string[] = seccompRules({
  procFd: -1,
  pid: -1,
  hasOpenat2: true,
  listens: false,
  makesDevices: false,
  roots: [],
}).map((rule) => NAMES[rule.nr] ?? "");

/** One call that the host served: its thread, name and line of the trace. */
interface Served {
  readonly tid: number;
  readonly name: string;
  readonly line: string;
}

/** The calls of a log of `strace -f -o` that were served. */
function servedCalls(log: string): Served[] {
  const out: Served[] = [];
  /** By thread: its last call, until its result is known. */
  const last = new Map<number, Served>();
  for (const line of log.split("\n")) {
    const tid = Number(/^(\d+) /.exec(line)?.[1] ?? NaN);
    const text = line.replace(/^\d+ +/, "");
    const name = /^(?:<\.\.\. )?(\w+)(?:\(| resumed)/.exec(text)?.[1];
    const before = last.get(tid);
    if (/^--- SIGSYS /.test(text)) {
      // seccomp turned the call before it into this signal.
      last.delete(tid);
      continue;
    }
    if (name === undefined) continue;
    if (before !== undefined && !text.startsWith("<...")) out.push(before);
    if (/= -1 E(PERM|ACCES|NOSYS) /.test(text)) last.delete(tid);
    else last.set(tid, { tid, name, line });
  }
  return [...out, ...last.values()].filter((call) => !isUnclear(call));
}

/** The calls of a log that failed with EPERM, with the line that has their arguments. */
function refusedCalls(log: string): Pick<Served, "tid" | "line">[] {
  const refused: Pick<Served, "tid" | "line">[] = [], begun = new Map<number, string>();
  for (const line of log.split("\n")) {
    const tid = Number(/^\d+/.exec(line)?.[0] ?? NaN);
    if (!/^\d+ +<\.\.\. /.test(line)) begun.set(tid, line);
    if (/ = -1 EPERM /.test(line)) refused.push({ tid, line: begun.get(tid) ?? line });
  }
  return refused;
}

/**
 * Read by V8's threads when they wait for a lock of Abseil for the first time; without it they
 * measure the rate.
 */
const CLOCK_RATE = "/sys/devices/system/cpu/cpu0/tsc_freq_khz";

/**
 * Whether a thread died in the call, or it returned its own number: that is what a call looks like
 * that became a signal (seccomp(2), SECCOMP_RET_TRAP), in a log that ends, or a thread that dies,
 * before the trace shows the signal.
 */
function isUnclear({ name, line }: Served): boolean {
  const unknown = /^syscall_(0x[0-9a-f]+)$/.exec(name)?.[1];
  const nr = unknown === undefined ? NAMES.indexOf(name) : Number(unknown);
  const result = / = (0x[0-9a-f]+|\d+|\?)$/.exec(line)?.[1];
  return result === "?" || (result !== undefined && Number(result) === nr);
}

Deno.test("servedCalls omits calls that raised a signal or were refused", () => {
  const log = [
    "10 getpid() = 39",
    "10 --- SIGSYS {si_signo=SIGSYS} ---",
    "10 futex(0x1, FUTEX_WAIT <unfinished ...>",
    '11 openat(AT_FDCWD, "x") = -1 EACCES (Permission denied)',
    "10 <... futex resumed>) = 0",
    "10 rt_sigreturn({mask=[]}) = 5",
    "12 syscall_0x3fff(0 <unfinished ...>",
    "12 <... syscall_0x3fff resumed>) = 0x3fff",
    "13 mknod(0x1 <unfinished ...>",
    "13 <... mknod resumed>) = ?",
    "13 +++ killed by SIGKILL +++",
  ].join("\n");
  assertEquals(servedCalls(log).map((s) => s.name), ["futex", "rt_sigreturn"]);
});

Deno.test("refusedCalls has the arguments of calls that another thread's line interrupts", () => {
  const log = [
    '7 openat(AT_FDCWD, "/x" <unfinished ...>',
    "8 getpid() = 8",
    "7 <... openat resumed>) = -1 EPERM (Operation not permitted)",
    "8 kill(1, 9) = -1 EPERM (Operation not permitted)",
    "8 kill(1, 9) = -1 ESRCH (No such process)",
  ];
  assertEquals(refusedCalls(log.join("\n")), [
    { tid: 7, line: log[0]! },
    { tid: 8, line: log[3]! },
  ]);
});

const ORDINARY = `
import os, subprocess, threading, time
time.sleep(2)
for i in range(5):
    script = "ls /usr > /tmp/x; cat /tmp/x | wc -l; (exit 3)"
    subprocess.run(["sh", "-c", script], stdout=subprocess.DEVNULL)
t = [threading.Thread(target=lambda: open("/etc/passwd").read()) for _ in range(5)]
[x.start() for x in t]; [x.join() for x in t]
`;

function guestScript(): string {
  const options = JSON.stringify({
    seed: "5",
    step: "97",
    rounds: "3",
    seconds: "0.02",
    ...trampoline(),
  });
  const hostile = ["jumps", "slots"].map((name) =>
    `subprocess.run([sys.executable, "-B", "${ROOT}/tests/hostile/guests/${name}.py", '${options}'])`
  );
  return `import sys\nprint("ready", flush=True)\n${ORDINARY}\n${
    hostile.join("\n")
  }\nprint("over", flush=True)\ntime.sleep(100)`;
}

function threadsOf(pid: number): number[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => Number(entry.name));
}

Deno.test({
  ...named(
    "systrap: the host serves no call outside the allow-lists",
    PYTHON === null
      ? "no python3 on this machine"
      : isRoot
      ? lacks(["strace"])
      : "tracing needs root",
  ),
  fn: async () => {
    const log = await Deno.makeTempFile({ prefix: "dvisor-trace-" });
    const session = await Session.start([
      ...doCommand("systrap"),
      PYTHON ?? "",
      "-c",
      guestScript(),
    ]);
    try {
      const sentry = session.pids("sentry"), stubs = session.pids("stub");
      const gofer = session.pids("gofer");
      assert(sentry.length === 1 && gofer.length === 1 && stubs.length > 0);
      // Some of Deno's threads end after a while.
      const threads = new Set(threadsOf(sentry[0]!)), goferThreads = new Set(threadsOf(gofer[0]!));
      const attach = [...sentry, ...gofer, ...stubs].flatMap((pid) => ["-p", String(pid)]);
      const tracer = new Deno.Command("strace", {
        args: ["-f", "-q", "-o", log, ...attach],
        stdout: "null",
        stderr: "null",
      }).spawn();
      assert(await session.saw(/^over$/m, 120_000), session.stdout);
      tracer.kill("SIGINT");
      await tracer.status;
      const text = await Deno.readTextFile(log), served = servedCalls(text);
      for (const tid of threadsOf(sentry[0]!)) threads.add(tid);
      for (const tid of threadsOf(gofer[0]!)) goferThreads.add(tid);
      const callsOf = (tid: number) =>
        threads.has(tid) ? SENTRY_CALLS : goferThreads.has(tid) ? GOFER_CALLS : SERVED_STUBS;
      const outside = served.filter(({ tid, name }) => !callsOf(tid).includes(name));
      assertEquals(outside.map((s) => s.line), []);
      const refused = refusedCalls(text).filter(({ tid, line }) =>
        (threads.has(tid) || goferThreads.has(tid)) && !line.includes(CLOCK_RATE)
      );
      assertEquals(refused.map((s) => s.line), [], "a filter is in the way of its own process");
      assert(served.some((s) => goferThreads.has(s.tid)), "the Gofer was traced");
      const bySentry = served.filter((s) => threads.has(s.tid)).length;
      console.log(`${served.length} calls, ${bySentry} of them the Sentry's`);
      assert(bySentry > 100 && served.length - bySentry > 100, "both were traced");
    } finally {
      await session.destroy();
      await Deno.remove(log);
    }
  },
});
