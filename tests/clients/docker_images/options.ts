/**
 * Options of `docker run` that reach the runtime, and the verbs about running containers. Not a
 * test.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images } from "../lib/images.ts";
import { until, untilIs } from "./until.ts";

const NAME = "opt";

/** A short container; gives what it printed on both streams, and its exit code in the last line. */
async function said(x: Images, options: readonly string[], script: string): Promise<string> {
  const args = ["run", "--rm", "--network", "none", ...options, x.base, "bash", "-c", script];
  const { code, stdout, stderr } = await x.docker.run(args);
  return `${stdout}${stderr}${code}`;
}

interface OptionRow {
  readonly options: readonly string[];
  readonly script: string;
  readonly expect: RegExp;
}

const SECCOMP_FILE = JSON.stringify({
  defaultAction: "SCMP_ACT_ALLOW",
  architectures: ["SCMP_ARCH_X86_64"],
  syscalls: [
    { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 },
    { names: ["sethostname"], action: "SCMP_ACT_KILL_PROCESS" },
  ],
});

const ROWS: readonly OptionRow[] = [
  {
    options: ["--init"],
    script: "cat /proc/1/comm; (sleep 0.1 &) ; sleep 0.5; ps -e 2>/dev/null; " +
      "grep -l 'State:.Z' /proc/[0-9]*/status; exit 8",
    expect: /^docker-init\n8$/,
  },
  {
    options: ["--read-only", "--tmpfs", "/run:size=1m,mode=1777", "--tmpfs", "/tmp"],
    script: "touch /x /run/a /tmp/b /dev/shm/c; echo $?; ls /run /tmp; " +
      "head -c 2000000 /dev/zero >/run/big; stat -c %s /run/big",
    expect: /\/x': Read-only file system[^]*No space left[^]*\n0$/,
  },
  {
    options: ["--user", "1234:4321", "--group-add", "27", "-w", "/tmp"],
    script: "id -u; id -G; pwd; touch /tmp/f && stat -c %u:%g /tmp/f; cat /etc/shadow",
    expect: /^1234\n4321 27\n\/tmp\n1234:4321\n.*Permission denied\n1$/,
  },
  {
    options: ["--user", "games"],
    script: "id -un; id -u; grep CapEff /proc/self/status; echo $HOME",
    expect: /^games\n5\nCapEff:\t0{16}\n\/usr\/games\n0$/,
  },
  {
    options: ["--cap-drop", "CHOWN", "--cap-drop", "DAC_OVERRIDE"],
    script: "touch /f; chown 5 /f; chmod 0 /f; echo x >>/f; echo end",
    expect: /^end\n.*Operation not permitted\n.*\/f: Permission denied\n0$/,
  },
  {
    options: ["--cap-drop", "ALL"],
    script: "grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status; mount -t tmpfs t /mnt; hostname x",
    expect: /^(Cap\w+:\t0{16}\n){3}[^]*\n[1-9]\d*$/,
  },
  {
    options: ["--ulimit", "nofile=64:128", "--ulimit", "core=0", "--ulimit", "fsize=100000"],
    script: "ulimit -n; ulimit -Hn; ulimit -c; head -c 200000 /dev/zero >/f; stat -c %s /f",
    expect: /^64\n128\n0\n[^]*\n0$/,
  },
  {
    options: ["--pids-limit", "12"],
    script: "for i in $(seq 40); do sleep 3 & done; true",
    expect: /fork: (retry: )?Resource temporarily unavailable/,
  },
  {
    options: ["--shm-size", "3m", "--hostname", "named", "--domainname", "example.test"],
    script: "df -k /dev/shm | tail -1; hostname; cat /proc/sys/kernel/domainname",
    expect: /^shm +3072 .*\nnamed\nexample\.test\n0$/,
  },
  {
    options: ["--add-host", "there:192.0.2.9", "--dns", "192.0.2.53", "--dns-search", "a.test"],
    script: "getent hosts there; cat /etc/resolv.conf",
    expect: /^192\.0\.2\.9 +there\n[^]*nameserver 192\.0\.2\.53\n[^]*search a\.test\n/,
  },
  {
    options: ["--env", "A=1", "-e", "B=two words", "--stop-signal", "SIGUSR1"],
    script: "echo $A-$B-$PATH; kill -9 1; kill -USR1 1; echo lives",
    expect: /^1-two words-\/usr\/local\/sbin:.*\nlives\n0$/,
  },
  {
    options: ["--sysctl", "net.core.somaxconn=99", "--sysctl", "kernel.msgmax=4096"],
    script: "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/msgmax",
    expect: /^99\n4096\n0$/,
  },
  {
    options: ["--device", "/dev/null:/dev/void:rw", "--cgroupns", "private", "--ipc", "none"],
    script: "echo x >/dev/void; stat -c %F /dev/void; cat /proc/self/cgroup | tail -1; ls /dev/shm",
    expect: /^character special file\n\S*:\/\n/,
  },
  {
    options: ["--security-opt", "no-new-privileges", "--user", "1000"],
    script: "grep NoNewPrivs /proc/self/status; cp /bin/su /tmp/ ; passwd -S root",
    expect: /^NoNewPrivs:\t1\n/,
  },
];

export const CASES: readonly ImageCase[] = [
  ...ROWS.map(({ options, script, expect }): ImageCase => ({
    name: `docker run ${options.join(" ")}`,
    run: async (x) => {
      // A case that runc fails does not judge dvisor.
      for (const runtime of [PEER, "dvisor"]) {
        assertMatch(await said(x, [...options, "--runtime", runtime], script), expect, runtime);
      }
    },
  })),
  {
    name: "a custom seccomp profile: errors and kills",
    run: async (x) => {
      const profile = `${x.docker.dir}/profile.json`;
      await Deno.writeTextFile(profile, SECCOMP_FILE);
      const options = ["--security-opt", `seccomp=${profile}`];
      const result = await said(
        x,
        options,
        "mkdir /d; perl -e '$n = q(x); syscall(170, $n, 1)'; echo $?",
      );
      assertMatch(result, /\n?159\n[^]*mkdir: .*Operation not supported/);
      assertStringIncludes(await said(x, options, "touch /f && echo fine"), "fine\n");
    },
  },
  {
    name: "--cpus and --cpuset-cpus are seen inside, and --cpu-shares taken",
    run: async (x) => {
      const options = ["--cpus", "0.3", "--cpuset-cpus", "0", "--cpu-shares", "512"];
      const seen = await said(x, options, "cat /sys/fs/cgroup/cpu.max; nproc");
      assertEquals(seen, "30000 100000\n1\n0");
    },
  },
  {
    name: "a health check turns, and events report it",
    run: async (x) => {
      const health = ["--health-cmd", "test -e /fine || { echo not yet; exit 1; }"];
      const often = ["--health-interval", "1s", "--health-retries", "1"];
      const since = String(Math.floor(Date.now() / 1000) - 1);
      await x.docker.must("run", "-d", "--name", NAME, ...health, ...often, x.base, "sleep", "600");
      await untilIs(x.docker, NAME, ".State.Health.Status", "unhealthy");
      assertMatch(await x.docker.inspect(NAME, "json .State.Health.Log"), /not yet/);
      await x.docker.must("exec", NAME, "touch", "/fine");
      await untilIs(x.docker, NAME, ".State.Health.Status", "healthy");
      await x.docker.must("kill", "-s", "KILL", NAME);
      const until = String(Math.ceil(Date.now() / 1000) + 1);
      const only = ["--filter", `container=${NAME}`, "--format", "{{.Action}}"];
      const events = (await x.docker.must("events", "--since", since, "--until", until, ...only))
        .split("\n");
      for (
        const event of ["create", "start", "health_status: healthy", "exec_die", "kill", "die"]
      ) {
        assert(events.includes(event), `${event} in ${events}`);
      }
    },
  },
  {
    name: "top, rename, wait, pause, kill by name and number",
    run: async (x) => {
      const { docker } = x;
      const script = "trap 'echo usr2' USR2; while :; do echo tick; sleep 0.2; done";
      await docker.must("run", "-d", "--name", NAME, x.base, "bash", "-c", script);
      const pid = await docker.inspect(NAME, ".State.Pid");
      const top = await docker.must("top", NAME, "-o", "pid,args");
      assert(top.split("\n").some((l) => l.trim().startsWith(`${pid} `)), top);
      await docker.must("rename", NAME, "other");
      const ticks = async () => (await docker.must("logs", "other")).match(/tick/g)?.length ?? 0;
      await until("a tick", async () => (await ticks()) > 0 ? 1 : null);
      await docker.must("pause", "other");
      const before = await ticks();
      await new Promise((done) => setTimeout(done, 1000));
      assertEquals(await ticks(), before);
      assertMatch((await docker.run(["exec", "other", "true"])).stderr, /is paused/);
      await docker.must("unpause", "other");
      await until("another tick", async () => (await ticks()) > before ? 1 : null);
      await docker.must("kill", "-s", "12", "other");
      await until("usr2", async () => /usr2/.test(await docker.must("logs", "other")) ? 1 : null);
      const waiting = docker.must("wait", "other");
      await docker.must("kill", "-s", "SIGTERM", "other");
      await new Promise((done) => setTimeout(done, 300));
      // PID 1 has no handler for TERM: like on Linux nothing happens.
      assertEquals(await docker.inspect("other", ".State.Status"), "running");
      await docker.must("stop", "-t", "1", "other");
      assertEquals(await waiting, "137");
    },
  },
  {
    name: "restart policies count, and end",
    run: async (x) => {
      const { docker } = x;
      const script = "echo run >>/runs; test $(wc -l </runs) -ge 3 && exit 0; exit 5";
      await docker.must(
        "run",
        "-d",
        "--name",
        NAME,
        "--restart",
        "on-failure:10",
        x.base,
        "sh",
        "-c",
        script,
      );
      await untilIs(docker, NAME, ".State.Status", "exited");
      await untilIs(docker, NAME, ".RestartCount", "2");
      assertEquals(await docker.inspect(NAME, ".State.ExitCode"), "0");
      await docker.must(
        "run",
        "-d",
        "--name",
        "always",
        "--restart",
        "always",
        x.base,
        "sleep",
        "600",
      );
      await docker.must(
        "exec",
        "always",
        "sh",
        "-c",
        "kill -9 1; kill -TERM 1; sleep 0.2; echo survived",
      );
      assertEquals(await docker.inspect("always", ".RestartCount"), "0");
      Deno.kill(Number(await docker.inspect("always", ".State.Pid")), "SIGKILL");
      await untilIs(docker, "always", ".RestartCount", "1");
      await untilIs(docker, "always", ".State.Running", "true");
    },
  },
  {
    name: "log drivers json-file with rotation, local and none",
    run: async (x) => {
      const { docker } = x;
      const script = "for i in $(seq 20000); do echo line $i; done; echo last >&2";
      for (const driver of ["json-file", "local"]) {
        const options = [
          "--log-driver",
          driver,
          "--log-opt",
          "max-size=100k",
          "--log-opt",
          "max-file=3",
        ];
        await docker.must("run", "--name", driver, ...options, x.base, "bash", "-c", script);
        const logs = await docker.run(["logs", "--tail", "5", "-t", driver]);
        assertMatch(logs.stdout + logs.stderr, /line 20000\n/);
        assertMatch(logs.stderr, /T\S+Z last\n$/);
      }
      await docker.must("run", "--name", "none", "--log-driver", "none", x.base, "echo", "hi");
      assertMatch((await docker.run(["logs", "none"])).stderr, /does not support reading/);
    },
  },
];
