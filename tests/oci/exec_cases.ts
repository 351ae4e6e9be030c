/**
 * Processes that `exec` starts, all in one container: what they get of config.json and of the
 * command line. Cases hold with runc too, unless they say otherwise. Not a test: status_test.ts
 * runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

export async function makeExecutable(t: Lifecycle): Promise<void> {
  const mkdir = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28 };
  Object.assign(t.config.process, {
    env: ["PATH=/bin", "A=config", "B=b"],
    cwd: "/work",
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }],
    oomScoreAdj: 500,
  });
  Object.assign(t.config.linux, {
    cgroupsPath: `/dvisor-test/${t.id}`,
    maskedPaths: ["/hidden"],
    seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [mkdir] },
  });
  Deno.writeTextFileSync(`${t.bundle.root}/hidden`, "hidden");
  Deno.writeTextFileSync(`${t.bundle.root}/plain`, "no program", { mode: 0o644 });
  await t.running("echo up; exec sleep 1000");
  await t.until("up");
}

/** Executes a script and compares what it prints. */
function prints(
  name: string,
  script: string,
  text: string,
  ...options: string[]
): LifecycleCase {
  return {
    name,
    async run(t) {
      const result = await t.call("exec", ...options, t.id, "sh", "-c", script);
      assertEquals([result.code, result.stdout], [0, text], describe(result));
    },
  };
}

/** The exit code of a script. */
function ends(name: string, script: string, code: number): LifecycleCase {
  return {
    name,
    async run(t) {
      const result = await t.call("exec", t.id, "sh", "-c", script);
      assertEquals(result.code, code, describe(result));
    },
  };
}

/** A case of an `exec` that fails with this message and runs no program. */
function refuses(name: string, message: RegExp, ...args: string[]): LifecycleCase {
  return {
    name,
    async run(t) {
      const words = args.map((word) => word === "ID" ? t.id : word.replace("DIR", t.bundle.dir));
      const result = await t.call("exec", ...words);
      assertEquals([result.code, result.stdout], [255, ""], describe(result));
      assertMatch(result.stderr, message);
    },
  };
}

async function withProcess(t: Lifecycle, more: object): Promise<string> {
  Deno.writeTextFileSync(
    t.file("process.json"),
    JSON.stringify({ ...t.config.process, cwd: "/", ...more }),
  );
  return await t.must("exec", "--process", t.file("process.json"), t.id);
}

const CAPABILITIES = "00000000080000";
const status = (name: string) => `sed -n 's/^${name}:\\t*//p' /proc/self/status`;

const INHERITED: readonly LifecycleCase[] = [
  prints("streams are apart", "echo out; echo err >&2", "out\n"),
  prints("stdin has its end", "cat; echo end", "end\n"),
  ends("success is 0", "exit 0", 0),
  ends("a code is passed on", "exit 254", 254),
  ends("a signal is 128 and its number", "kill -9 $$", 137),
  prints("variables are the container's", "echo $A $B $PATH", "config b /bin\n"),
  prints("the directory is the container's", "pwd", "/work\n"),
  prints("the user is the container's", "id -u; id -g", "0\n0\n"),
  prints("limits are the container's", "ulimit -n; ulimit -Hn", "100\n200\n"),
  prints("the OOM score is the container's", "cat /proc/self/oom_score_adj", "500\n"),
  prints(
    "the filter is the container's",
    "mkdir /new 2>&1 | sed 's/.*: //'",
    "No space left on device\n",
  ),
  prints("what is hidden is hidden", "cat /hidden", ""),
  prints(
    "capabilities are the container's",
    `[ $(${status("CapEff")}) = $(sed -n 's/^CapEff:\\t*//p' /proc/1/status) ] && echo same`,
    "same\n",
  ),
  prints(
    "namespaces are the container's",
    "for n in mnt pid net ipc uts user; do " +
      "[ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] || echo $n; done",
    "",
  ),
  prints("HOME is there", "echo $HOME", "/\n"),
  prints("new privileges are not forbidden", status("NoNewPrivs"), "0\n"),
];

const OPTIONS: readonly LifecycleCase[] = [
  prints("--env adds", "echo $A $C", "config c\n", "--env", "C=c"),
  prints("--env replaces", "echo $A; env | grep -c ^A=", "new\n1\n", "-e", "A=new"),
  prints("--env may be empty", 'echo "<$A>"', "<>\n", "-e", "A="),
  prints("--cwd is another directory", "pwd", "/bin\n", "--cwd", "/bin"),
  prints("--user is a number, of the first group", "id -u; id -g", "7\n0\n", "--user", "7"),
  prints("--user is a number and a group", "id -u; id -g", "7\n8\n", "-u", "7:8"),
  prints(
    "--additional-gids adds groups",
    "grep ^Groups: /proc/self/status | tr -s ' \\t' ' '",
    "Groups: 5 6 \n",
    ...["-g", "5", "-g", "6"],
  ),
  prints("--no-new-privs forbids new privileges", status("NoNewPrivs"), "1\n", "--no-new-privs"),
  prints("another user has no capabilities", status("CapEff"), "0000000000000000\n", "-u", "7"),
  {
    name: "--cap adds a capability",
    async run(t) {
      const has = async (...options: string[]) =>
        BigInt(
          `0x${(await t.must("exec", ...options, t.id, "sh", "-c", status("CapEff"))).trim()}`,
        );
      const more = await has("--cap", "CAP_SYS_TIME"), plain = await has();
      assertEquals(more ^ plain, 1n << 25n, CAPABILITIES);
    },
  },
  prints("--cap of no capability is passed over", "echo ran", "ran\n", "--cap", "CAP_ODD"),
  {
    name: "--pid-file names a process of this host, in the container's control group",
    async run(t) {
      const file = t.file("exec.pid");
      const args = ["exec", "--detach", "--pid-file", file, t.id, "sleep", "1000"];
      assertEquals((await t.detached(args)).code, 0, t.text("err"));
      const pid = Number(t.text("exec.pid"));
      assertMatch(Deno.readTextFileSync(`/proc/${pid}/cgroup`), new RegExp(`/dvisor-test/${t.id}`));
      assertEquals(parentOf(pid), Deno.pid);
      const pids = JSON.parse(await t.must("ps", "--format", "json", t.id));
      assertEquals([pids.includes(t.pid), pids.includes(pid)], [true, true], String(pids));
      Deno.kill(pid, "SIGKILL");
      assertEquals(await t.reap(pid), 137);
    },
  },
  {
    name: "a detached process outlives its command",
    async run(t) {
      const script = "sleep 0.2; echo later; exit 3";
      const args = ["exec", "-d", "--pid-file", t.file("later.pid"), t.id, "sh", "-c", script];
      assertEquals((await t.detached(args)).code, 0, t.text("err"));
      assertEquals(await t.reap(Number(t.text("later.pid"))), 3);
      assertMatch(t.text("out"), /later/);
    },
  },
];

function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

const FILES: readonly LifecycleCase[] = [
  {
    name: "--process has all of a process",
    async run(t) {
      const out = await withProcess(t, {
        args: ["sh", "-c", "id -u; id -g; umask; pwd; echo $X; ulimit -n"],
        user: { uid: 3, gid: 4, umask: 0o77 },
        env: ["PATH=/bin", "X=x"],
        cwd: "/bin",
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 50, hard: 60 }],
      });
      const expected = ["3", "4", t.runtime === "runc" ? "0022" : "0077", "/bin", "x", "50", ""];
      assertEquals(out.split("\n"), expected);
    },
  },
  {
    name: "--process has capabilities and no new privileges",
    async run(t) {
      const sets = ["bounding", "effective", "permitted"];
      const out = await withProcess(t, {
        args: ["sh", "-c", `${status("CapEff")}; ${status("NoNewPrivs")}`],
        capabilities: Object.fromEntries(sets.map((set) => [set, ["CAP_KILL"]])),
        noNewPrivileges: true,
      });
      assertEquals(out, "0000000000000020\n1\n");
    },
  },
  {
    name: "--process that is no process is refused",
    async run(t) {
      for (const text of ["", "{", '{"args": []}', '{"args": "sh"}', "[]"]) {
        Deno.writeTextFileSync(t.file("bad.json"), text);
        const result = await t.call("exec", "--process", t.file("bad.json"), t.id);
        assertEquals([result.code, result.stdout], [255, ""], `${text}: ${describe(result)}`);
        assert(result.stderr !== "");
      }
    },
  },
];

const REFUSED: readonly LifecycleCase[] = [
  refuses("without a command", /command|empty/, "ID"),
  refuses("a command that there is not", /executable file not found in \$PATH/, "ID", "odd"),
  refuses("a path that there is not", /no such file or directory/, "ID", "/no/such"),
  refuses("a directory", /is a directory|permission denied/, "ID", "/bin"),
  refuses("a file that may not be executed", /permission denied/, "ID", "/plain"),
  refuses(
    "a directory to be in that there is not",
    /no such file|ENOENT/,
    "--cwd",
    "/no",
    "ID",
    "true",
  ),
  refuses("a relative directory to be in", /absolute/, "--cwd", "bin", "ID", "true"),
  refuses("a user by name", /bob/, "--user", "bob", "ID", "true"),
  refuses("a variable without a value", /=/, "--env", "A", "ID", "true"),
  refuses("a variable without a name", /name|NAME/, "--env", "=a", "ID", "true"),
  refuses("a file of a process that there is not", /no such file/i, "--process", "/no/such", "ID"),
  refuses("a label of SELinux", /SELinux/i, "--process-label", "a:b:c:d", "ID", "true"),
  refuses("a profile of AppArmor", /AppArmor/i, "--apparmor", "odd", "ID", "true"),
  refuses("a terminal where there is none", /terminal|tty/, "--tty", "ID", "true"),
  refuses("a terminal behind its command", /console|tty/, "--tty", "--detach", "ID", "true"),
  refuses("a socket for no terminal", /console/, "--console-socket", "DIR/x", "ID", "true"),
  refuses("a control group that there is not", /group|cgroup/, "--cgroup", "odd", "ID", "true"),
  {
    ...refuses(
      "files that the caller does not have",
      /preserve/,
      "--preserve-fds",
      "9",
      "ID",
      "true",
    ),
    notRunc: "it passes on what it has itself",
  },
];

const named = (what: string) => (test: LifecycleCase): LifecycleCase => ({
  ...test,
  name: `${what}: ${test.name}`,
});

export const EXECUTED_CASES: readonly LifecycleCase[] = [
  ...[...INHERITED, ...OPTIONS, ...FILES],
  ...REFUSED.map(named("refused")),
];
