/** `podman run` and what it sets in a container. Not a test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import type { EngineCase } from "../engines/engine_case.ts";
import { IMAGE, type Podman } from "./podman.ts";

export const RUN_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "output arrives on the stream of the container's own output",
    isQuick: true,
    async run(p) {
      const result = await p.call("run", "--rm", IMAGE, "sh", "-c", "echo out; echo err >&2");
      assertEquals([result.code, result.stdout, result.stderr], [0, "out\n", "err\n"]);
    },
  },
  {
    name: "standard input reaches the program",
    async run(p) {
      const result = await p.host(p.argv("run", "--rm", "-i", IMAGE, "wc", "-c"), {
        stdin: "x".repeat(300_000),
      });
      assertEquals(result.stdout.trim(), "300000", describe(result));
    },
  },
  {
    name: "exit codes: the program's, 127 without a program, 126 for a file that is none",
    isQuick: true,
    async run(p) {
      const code = async (...args: string[]) => (await p.call("run", "--rm", IMAGE, ...args)).code;
      assertEquals(await code("sh", "-c", "exit 42"), 42);
      assertEquals(await code("/nosuch"), 127);
      assertEquals(await code("/etc/passwd"), 126);
      assertEquals(await code("sh", "-c", "(kill -9 $(sh -c 'echo $PPID')); exit $?"), 137);
    },
  },
  {
    name: "errors of programs that cannot run name them",
    async run(p) {
      await p.fails(/\/nosuch.*no such file|not found/i, "run", "--rm", IMAGE, "/nosuch");
      await p.fails(/permission denied/i, "run", "--rm", IMAGE, "/etc/passwd");
    },
  },
  {
    name: "a terminal, with the size of that in front",
    isQuick: true,
    async run(p) {
      const line = "stty rows 33 cols 77; exec ";
      const argv = p.argv("run", "--rm", "-it", IMAGE, "sh", "-c", "sleep 0.3; tty; stty size");
      const result = await p.host(["script", "-qec", line + quote(argv), "/dev/null"]);
      assertMatch(result.stdout, /\/dev\/(pts\/0|console)/, describe(result));
      assertMatch(result.stdout, /33 77/, describe(result));
    },
  },
  {
    name: "keys of a terminal reach the shell",
    async run(p) {
      const result = await p.terminal(
        ["run", "--rm", "-it", IMAGE, "sh"],
        "echo $((6*7))\nexit 5\n",
      );
      assertEquals(result.code, 5, describe(result));
      assertMatch(result.stdout, /^42$/m);
    },
  },
  {
    name: "--init reaps and passes signals on",
    lacking: hasInit() ? null : "no catatonit on this machine",
    async run(p) {
      assertMatch(await p.run("--init", IMAGE, "ps"), /1 .*(podman-init|catatonit)/);
    },
  },
  {
    name: "an init of the image is the first process",
    async run(p) {
      assertEquals(await p.shell("echo $$ $(cat /proc/1/comm)"), "1 sh\n");
    },
  },
  {
    name: "user, groups, directory, variables, host name",
    async run(p) {
      const options = ["--user", "1000:1000", "--group-add", "33", "-w", "/tmp"];
      const script = "id -u; id -G; pwd; echo $A; hostname";
      const text = await p.shell(script, ...options, "-e", "A=b c", "--hostname", "hh");
      assertEquals(text.trimEnd().split("\n"), ["1000", "1000 33", "/tmp", "b c", "hh"]);
    },
  },
  {
    name: "--umask and --timezone",
    async run(p) {
      assertEquals(await p.shell("umask", "--umask", "0077"), "0077\n");
    },
  },
  {
    name: "--read-only, with tmpfs on request",
    async run(p) {
      const script = "touch /x; touch /t/x && echo written; df -k /t | tail -1";
      const result = await p.call(
        ...["run", "--rm", "--read-only", "--tmpfs", "/t:size=1m", IMAGE, "sh", "-c", script],
      );
      assertMatch(result.stderr, /read-only/i);
      assertMatch(result.stdout, /written\n.* 1024 /);
    },
  },
  {
    name: "capabilities, no new privileges, seccomp",
    async run(p) {
      const script = "grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status";
      const bare = await p.shell(script, "--cap-drop", "ALL", "--cap-add", "NET_ADMIN");
      assertMatch(bare, /CapEff:\t0000000000001000/);
      assertMatch(bare, /NoNewPrivs:\t0\nSeccomp:\t2/);
      const options = ["--security-opt", "no-new-privileges", "--security-opt"];
      assertMatch(
        await p.shell(script, ...options, "seccomp=unconfined"),
        /NoNewPrivs:\t1\nSeccomp:\t0/,
      );
    },
  },
  {
    name: "a custom seccomp profile",
    async run(p) {
      const rule = { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 };
      const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] };
      const path = p.file("seccomp.json", JSON.stringify(profile));
      const result = await p.call(
        ...["run", "--rm", "--security-opt", `seccomp=${path}`, IMAGE, "mkdir", "/x"],
      );
      assertMatch(result.stderr, /not supported/i, describe(result));
    },
  },
  {
    name: "limits of processes and system settings",
    async run(p) {
      const options = ["--ulimit", "nofile=100:200", "--sysctl", "net.ipv4.ip_forward=1"];
      const script = "ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_forward";
      assertEquals(await p.shell(script, ...options), "100\n200\n1\n");
    },
  },
  {
    name: "devices, and what is masked",
    async run(p) {
      const script = "head -c 4 /dev/zz | wc -c; head -c 10 /proc/kcore 2>/dev/null | wc -c";
      assertEquals(await p.shell(script, "--device", "/dev/zero:/dev/zz"), "4\n0\n");
    },
  },
  {
    name: "--privileged may mount",
    async run(p) {
      const script = "mkdir /m; mount -t tmpfs none /m && echo mounted";
      assertStringIncludes(await p.shell(script, "--privileged"), "mounted");
    },
  },
  {
    name: "--rm leaves no container, and no state of the runtime",
    async run(p) {
      await p.run(IMAGE, "true");
      assertEquals(await p.must("ps", "-aq"), "");
      assertEquals(stateOf(p.peer), []);
    },
  },
  {
    name: "--cidfile, --pidfile, labels and annotations",
    async run(p) {
      const cid = `${p.dir}/cid`, pid = `${p.dir}/pid`;
      const options = ["--cidfile", cid, "--pidfile", pid, "--label", "l=1"];
      const name = await p.background("sleep 100", ...options, "--annotation", "org.example.a=2");
      assertEquals(Deno.readTextFileSync(cid), await p.inspect(name, "{{.Id}}"));
      assertEquals(Deno.readTextFileSync(pid).trim(), await p.inspect(name, "{{.State.Pid}}"));
      assertEquals(await p.inspect(name, '{{index .Config.Annotations "org.example.a"}}'), "2");
    },
  },
  {
    name: "an annotation that chooses the platform",
    notRunc: "dvisor's own",
    async run(p) {
      const option = ["--annotation", "dev.dvisor.platform=ptrace"];
      assertEquals(await p.shell("echo $((1+1))", ...option), "2\n");
      const wrong = ["--annotation", "dev.dvisor.platform=none", IMAGE, "true"];
      await p.fails(/dev\.dvisor\.platform/, "run", "--rm", ...wrong);
    },
  },
  {
    name: "memory: a process over the limit is killed, and Podman reports it",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = p.name();
      const limits = ["--memory", "40m", "--memory-swap", "40m"];
      const eater = ["dd", "if=/dev/zero", "of=/dev/null", "bs=90M", "count=1"];
      const result = await p.call("run", "--name", name, ...limits, IMAGE, ...eater);
      assertEquals(result.code, 137, describe(result));
      assertEquals(await p.inspect(name, "{{.State.OOMKilled}}"), "true");
    },
  },
  {
    name: "memory: a child over the limit is killed, the container lives",
    notRootless: "its control groups are root's",
    async run(p) {
      const script = "dd if=/dev/zero of=/dev/null bs=90M count=1; echo child $?; sleep 100";
      const limits = ["--memory", "40m", "--memory-swap", "40m"];
      const name = await p.background(script, ...limits);
      await p.logged(name, "child 137");
      assertEquals(await p.inspect(name, "{{.State.Running}}"), "true");
    },
  },
  {
    name: "--pids-limit holds inside",
    notRootless: "its control groups are root's",
    async run(p) {
      const script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1 & done; wait";
      const result = await p.call("run", "--rm", "--pids-limit", "10", IMAGE, "sh", "-c", script);
      assertMatch(result.stderr, /can't fork|Resource temporarily/i, describe(result));
    },
  },
  {
    name: "--timeout ends a container",
    async run(p) {
      const result = await p.call("run", "--rm", "--timeout", "1", IMAGE, "sleep", "100");
      assert(result.code !== 0 && !result.isOverdue, describe(result));
    },
  },
];

function quote(argv: readonly string[]): string {
  return argv.map((arg) => `'${arg}'`).join(" ");
}

function hasInit(): boolean {
  return ["/usr/libexec/podman/catatonit", "/usr/bin/catatonit"].some((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** The containers that the runtime knows. */
function stateOf(peer: string): string[] {
  try {
    return [...Deno.readDirSync(`/run/${peer}`)].map((entry) => entry.name);
  } catch {
    return [];
  }
}
