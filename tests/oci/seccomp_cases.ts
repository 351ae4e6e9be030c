/**
 * Containers with a filter of system calls, for bundle_test.ts: what `linux.seccomp` says is so
 * inside, as with runc.
 */

import type { BundleCase } from "./bundle_cases.ts";

const STATUS = "grep -E '^(Seccomp|NoNewPrivs)' /proc/self/status";
/** The choice between the two calls depends on busybox and its C library. */
const CHMOD = ["chmod", "fchmodat", "fchmodat2"];
const SLEEP = ["nanosleep", "clock_nanosleep"];

function profile(defaultAction: string, ...syscalls: unknown[]): object {
  return { defaultAction, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], syscalls };
}

function rule(action: string, names: readonly string[], more: object = {}): object {
  return { names, action, ...more };
}

export const SECCOMP_CASES: readonly BundleCase[] = [
  {
    name: "a filter is there before the program, and needs no no_new_privs",
    script: `${STATUS}; grep -E '^(Seccomp|NoNewPrivs)' /proc/1/status`,
    prints: "NoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n".repeat(2),
    prepare: (c) => {
      c.process.user = { uid: 1000, gid: 1000 };
      c.linux.seccomp = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_ERRNO", ["acct"]));
    },
  },
  {
    name: "a filter gives errors, those that it names or EPERM",
    script: "mkdir /a 2>&1; mkfifo /b 2>&1; rm -f /none && echo ok",
    prints: "mkdir: can't create directory '/a': Input/output error\n" +
      "mkfifo: /b: Operation not permitted\nok\n",
    prepare: (c) => {
      c.linux.seccomp = profile(
        "SCMP_ACT_ALLOW",
        rule("SCMP_ACT_ERRNO", ["mkdir", "mkdirat"], { errnoRet: 5 }),
        rule("SCMP_ACT_ERRNO", ["mknod", "mknodat", "no_such_call"]),
      );
    },
  },
  {
    name: "a filter looks at arguments",
    script: "touch /f; chmod 755 /f && echo 755; chmod 4755 /f 2>/dev/null || echo no",
    prints: "755\nno\n",
    prepare: (c) => {
      const isSetUid = (index: number) => ({
        args: [{ index, op: "SCMP_CMP_MASKED_EQ", value: 0o4000, valueTwo: 0o4000 }],
      });
      c.linux.seccomp = profile(
        "SCMP_ACT_ALLOW",
        rule("SCMP_ACT_ERRNO", ["chmod"], isSetUid(1)),
        rule("SCMP_ACT_ERRNO", CHMOD.slice(1), isSetUid(2)),
      );
    },
  },
  {
    name: "a filter kills",
    script: "sh -c 'sleep 0.01' 2>/dev/null; echo $?",
    prints: "159\n",
    prepare: (c) => {
      c.linux.seccomp = profile("SCMP_ACT_ALLOW", rule("SCMP_ACT_KILL_PROCESS", SLEEP));
    },
  },
];
