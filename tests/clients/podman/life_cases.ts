/** The life of Podman's containers: start, stop, exec, logs, files. Not a test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { lacks } from "../../harness/machine.ts";
import { type EngineCase, until } from "../engines/engine_case.ts";
import { IMAGE, type Podman } from "./podman.ts";

/** A program that prints a line for each signal, and one at its end. */
const SERVICE =
  'trap "echo got-term; exit 7" TERM; trap "echo got-usr1" USR1; echo up; while :; do sleep 0.1; done';

async function service(p: Podman, ...options: string[]): Promise<string> {
  const name = await p.background(SERVICE, ...options);
  await p.logged(name, "up");
  return name;
}

const COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";

/** The numbers that the container has printed: each once, in order. */
async function counted(p: Podman, name: string): Promise<number> {
  const lines = (await p.logs(name)).split("\n").filter(Boolean).map(Number);
  assertEquals(lines, lines.map((_, i) => i + 1));
  return lines.length;
}

async function countsOn(p: Podman, name: string): Promise<void> {
  const before = await counted(p, name);
  await until("a number", async () => (await counted(p, name)) > before + 2);
}

const MANAGE_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "create, start with the output attached, wait, start again",
    async run(p) {
      const name = p.name();
      await p.must("create", "--name", name, IMAGE, "sh", "-c", "echo hi; exit 3");
      assertEquals(await p.inspect(name, "{{.State.Status}}"), "created");
      for (let i = 0; i < 2; i++) {
        const result = await p.call("start", "--attach", name);
        assertEquals([result.code, result.stdout], [3, "hi\n"], describe(result));
      }
      assertEquals(await p.must("wait", name), "3\n");
    },
  },
  {
    name: "init makes a container that runs only after start",
    async run(p) {
      const name = p.name();
      await p.must("create", "--name", name, IMAGE, "sh", "-c", "echo ran");
      await p.must("init", name);
      assertEquals(await p.inspect(name, "{{.State.Status}}"), "initialized");
      assertEquals(await p.logs(name), "");
      await p.must("start", name);
      await p.logged(name, "ran");
    },
  },
  {
    name: "signals: kill, stop of a program that handles the signal, and of one that ignores it",
    isQuick: true,
    async run(p) {
      const name = await service(p);
      await p.must("kill", "-s", "USR1", name);
      await p.logged(name, "got-usr1");
      await p.must("stop", "-t", "8", name);
      assertEquals(await p.inspect(name, "{{.State.ExitCode}}"), "7");
      const deaf = await p.background("trap '' TERM; echo up; sleep 1000");
      await p.logged(deaf, "up");
      await p.must("stop", "-t", "1", deaf);
      assertEquals(await p.inspect(deaf, "{{.State.ExitCode}}"), "137");
    },
  },
  {
    name: "restart keeps what was written",
    async run(p) {
      const name = await p.background("echo x >>/n; wc -l </n; exec sleep 1000");
      await p.logged(name, "1");
      await p.must("restart", "-t", "0", name);
      await p.logged(name, "2");
    },
  },
  {
    name: "--restart on-failure restarts a failed container",
    async run(p) {
      const script = "echo x >>/n; wc -l </n; test $(wc -l </n) = 3 && exit 0; exit 1";
      const name = await p.background(script, "--restart", "on-failure:5");
      await p.logged(name, "3");
      await until("exited", async () => await p.inspect(name, "{{.State.Status}}") === "exited");
      assertEquals(await p.inspect(name, "{{.RestartCount}}"), "2");
    },
  },
  {
    name: "pause stops a container, unpause continues it",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await p.background("while :; do echo t; sleep 0.1; done");
      await p.logged(name, "t");
      await p.must("pause", name);
      assertEquals(await p.inspect(name, "{{.State.Status}}"), "paused");
      const before = await p.logs(name);
      await p.fails(/paused|improper/i, "exec", name, "true");
      assertEquals(await p.logs(name), before);
      await p.must("unpause", name);
      await until("more", async () => (await p.logs(name)).length > before.length);
    },
  },
  {
    name: "inspect and ps show the state of a container",
    isQuick: true,
    async run(p) {
      const name = await service(p, "-l", "a=b");
      const state = JSON.parse(await p.must("inspect", name))[0];
      assertEquals([state.State.Running, state.OCIRuntime], [true, "peer"]);
      assert(Deno.statSync(`/proc/${state.State.Pid}`).isDirectory);
      assertMatch(await p.must("ps", "--format", "{{.Names}} {{.Status}}"), /^c\d+ Up/);
    },
  },
  {
    name: "top has the processes of the container",
    async run(p) {
      const name = await service(p);
      assertMatch(await p.must("top", name), /trap|sh -c/);
      assertMatch(await p.must("top", name, "hpid", "user", "args"), /\d+ +root +sh -c/);
    },
  },
  {
    name: "stats are of this container",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await p.background("while :; do :; done");
      const ask = async () => {
        const [stats] = JSON.parse(await p.must("stats", "--no-stream", "--format", "json", name));
        return stats as Record<string, string>;
      };
      let stats = await ask();
      await until(
        "cpu time",
        async () => Number.parseFloat((stats = await ask()).cpu_percent!) > 5,
      );
      assertMatch(stats["mem_usage"] ?? "", /^[1-9][\d.]*[kM]B/, JSON.stringify(stats));
      assert(Number(stats["pids"]) >= 1, JSON.stringify(stats));
    },
  },
  {
    name: "update changes limits of a running container",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await service(p, "--memory", "200m");
      await p.must("update", "--memory", "100m", "--cpus", "0.5", name);
      const id = await p.inspect(name, "{{.Id}}");
      const [limit] = await find("memory", id, ["memory.limit_in_bytes", "memory.max"]);
      // The kernel of a sandbox has its own part.
      const own = p.peer === "dvisor" ? 192 : 0;
      assertEquals(Number(limit), (100 + own) << 20);
      assertStringIncludes(await p.must("exec", name, "echo", "alive"), "alive");
    },
  },
  {
    name: "health checks",
    async run(p) {
      const options = ["--health-cmd", "test -e /well", "--health-interval", "disable"];
      const name = await service(p, ...options);
      assert((await p.call("healthcheck", "run", name)).code !== 0);
      await p.must("exec", name, "touch", "/well");
      await p.must("healthcheck", "run", name);
      assertEquals(await p.inspect(name, "{{.State.Health.Status}}"), "healthy");
    },
  },
  {
    name: "events of a life",
    async run(p) {
      const name = p.name();
      await p.must("run", "--rm", "--name", name, IMAGE, "true");
      const format = ["--stream=false", "--filter", `container=${name}`, "--format", "{{.Status}}"];
      const seen = (await p.must("events", ...format)).trimEnd().split("\n");
      for (const what of ["create", "start", "died", "remove"]) {
        assert(seen.includes(what), `${seen}`);
      }
    },
  },
  {
    name: "rename; rm needs force for a running container",
    async run(p) {
      const name = await service(p), other = p.name();
      await p.must("rename", name, other);
      await p.fails(/running|force/i, "rm", other);
      await p.must("rm", "-f", "-t", "0", other);
      await p.fails(/no such/i, "inspect", "--type", "container", other);
    },
  },
  {
    name: "checkpoint and restore: in place, left running, by an archive under another name",
    // Podman asks for it whatever the runtime is.
    lacking: lacks(["criu"]),
    notRootless: "Podman saves containers of root only",
    async run(p) {
      const name = await p.background(COUNT, "--network", "none");
      await p.logged(name, "3\n");
      await p.must("container", "checkpoint", "--leave-running", name);
      await countsOn(p, name);
      await p.must("container", "checkpoint", name);
      assertEquals(await p.inspect(name, "{{.State.Running}}"), "false");
      const before = await counted(p, name);
      await p.must("container", "restore", name);
      await countsOn(p, name);
      assert((await counted(p, name)) > before);
      assertEquals(await p.must("exec", name, "echo", "alive"), "alive\n");
      const archive = `${p.dir}/checkpoint.tar.gz`, other = p.name();
      await p.must("exec", name, "sh", "-c", "echo written >/file");
      await p.must("container", "checkpoint", "--export", archive, "--tcp-established", name);
      await p.must("rm", name);
      await p.must("container", "restore", "--import", archive, "--name", other);
      // The archive has the log too.
      await countsOn(p, other);
      assertEquals(await p.must("exec", other, "cat", "/file"), "written\n");
    },
  },
  {
    name: "a checkpoint that the runtime refuses: the container lives on",
    notRunc: "CRIU takes it",
    lacking: lacks(["criu"]),
    notRootless: "Podman saves containers of root only",
    async run(p) {
      const pod = p.name();
      await p.must("pod", "create", "--name", pod, "--network", "none");
      const name = await service(p, "--pod", pod);
      const archive = `${p.dir}/pod.tar.gz`;
      await p.fails(/container of a pod/, "container", "checkpoint", "--export", archive, name);
      assertEquals(await p.must("exec", name, "echo", "alive"), "alive\n");
    },
  },
];

const EXEC_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "exec: output, code, stdin, user, directory, variables",
    isQuick: true,
    async run(p) {
      const name = await service(p);
      const result = await p.call("exec", name, "sh", "-c", "echo e; echo f >&2; exit 3");
      assertEquals([result.code, result.stdout, result.stderr], [3, "e\n", "f\n"]);
      const options = ["-i", "-u", "1000", "-w", "/tmp", "-e", "A=b"];
      const script = "echo $(id -u) $PWD $A $(cat)";
      const argv = p.argv("exec", ...options, name, "sh", "-c", script);
      assertEquals((await p.host(argv, { stdin: "zz" })).stdout, "1000 /tmp b zz\n");
    },
  },
  {
    name: "exec of a missing program",
    async run(p) {
      const name = await service(p);
      assertEquals((await p.call("exec", name, "/nosuch")).code, 127);
      assertEquals((await p.call("exec", name, "/etc/passwd")).code, 126);
      assertEquals(await p.inspect(name, "{{.State.Running}}"), "true");
    },
  },
  {
    name: "exec on a terminal",
    async run(p) {
      const name = await service(p);
      const result = await p.terminal([
        "exec",
        "-it",
        name,
        "sh",
        "-c",
        "test -t 0 && tty; exit 6",
      ]);
      assertEquals(result.code, 6, describe(result));
      assertMatch(result.stdout, /\/dev\/pts\/\d/);
    },
  },
  {
    name: "exec in the background, and its end with the container",
    async run(p) {
      const name = await service(p);
      await p.must("exec", "-d", name, "sh", "-c", "echo bg >/bg; sleep 1000");
      await until("/bg", async () => (await p.call("exec", name, "cat", "/bg")).stdout === "bg\n");
      assertStringIncludes(await p.must("exec", name, "ps"), "sleep 1000");
      await p.must("stop", "-t", "5", name);
      assertEquals(await p.inspect(name, "{{.State.ExitCode}}"), "7");
    },
  },
  {
    name: "many execs at once",
    async run(p) {
      const name = await service(p);
      const ask = (i: number) => p.must("exec", name, "sh", "-c", `echo ${i}; sleep 0.2`);
      const texts = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(ask));
      assertEquals(texts, [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `${i}\n`));
    },
  },
  {
    name: "attach shows later output, and the end",
    async run(p) {
      const name = await p.background("read x; echo got $x; exit 4", "-i");
      const result = await p.host(p.argv("attach", name), { stdin: "line\n" });
      assertMatch(result.stdout, /^got line$/m, describe(result));
      assertEquals(await p.must("wait", name), "4\n");
    },
  },
  {
    name: "logs with time, tail and follow",
    async run(p) {
      const name = await p.background("for i in 1 2 3; do echo l$i; sleep 0.2; done");
      assertEquals(await p.must("logs", "-f", name), "l1\nl2\nl3\n");
      assertEquals(await p.must("logs", "--tail", "1", name), "l3\n");
      assertMatch(await p.must("logs", "-t", name), /^\d{4}-\d\d-\d\dT\S+ l1$/m);
    },
  },
];

const FILE_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "named volumes outlive containers",
    async run(p) {
      await p.must("volume", "create", "vol1");
      await p.shell("echo kept >/v/a; chown 1000:1000 /v/a", "-v", "vol1:/v");
      assertEquals(await p.shell("cat /v/a; stat -c %u /v/a", "-v", "vol1:/v"), "kept\n1000\n");
      await p.must("volume", "rm", "vol1");
    },
  },
  {
    name: "bind mounts of directories and files, also read-only",
    async run(p) {
      const folder = p.folder("bind"), path = p.file("bind/x", "from the host\n");
      const options = ["-v", `${folder}:/d`, "-v", `${path}:/etc/f`, "-v", `${folder}:/r:ro`];
      const script = "cat /d/x /etc/f; echo new >/d/y; touch /r/no";
      const result = await p.call("run", "--rm", ...options, IMAGE, "sh", "-c", script);
      assertEquals(result.stdout, "from the host\nfrom the host\n");
      assertMatch(result.stderr, /read-only/i);
      assertEquals(Deno.readTextFileSync(`${folder}/y`), "new\n");
    },
  },
  {
    name: "an image's volume and --volumes-from",
    async run(p) {
      const name = await p.background("echo shared >/v/a; sleep 1000", "-v", "/v");
      await until("a", async () => (await p.call("exec", name, "cat", "/v/a")).code === 0);
      assertEquals(await p.shell("cat /v/a", "--volumes-from", name), "shared\n");
    },
  },
  {
    name: "--mount type=image and tmpfs",
    async run(p) {
      const options = ["--mount", `type=image,source=${IMAGE},destination=/i`];
      const tmpfs = ["--mount", "type=tmpfs,destination=/t,tmpfs-size=2m"];
      const script = "ls /i/bin/busybox; df -k /t | tail -1 | awk '{print $2}'";
      assertEquals(await p.shell(script, ...options, ...tmpfs), "/i/bin/busybox\n2048\n");
    },
  },
  {
    name: "cp into a running container and out of it, and of a stopped one",
    async run(p) {
      const name = await service(p), path = p.file("cp/in", "in\n");
      await p.must("cp", path, `${name}:/tmp/in`);
      assertEquals(await p.must("exec", name, "cat", "/tmp/in"), "in\n");
      await p.must("exec", name, "sh", "-c", "mkdir /o; echo out >/o/f; ln -s f /o/l");
      await p.must("cp", `${name}:/o`, `${p.dir}/cp/out`);
      assertEquals(Deno.readTextFileSync(`${p.dir}/cp/out/l`), "out\n");
      await p.must("stop", "-t", "5", name);
      await p.must("cp", `${name}:/o/f`, `${p.dir}/cp/f`);
      assertEquals(Deno.readTextFileSync(`${p.dir}/cp/f`), "out\n");
    },
  },
  {
    name: "diff, commit, export",
    async run(p) {
      const name = await service(p);
      await p.must(
        "exec",
        name,
        "sh",
        "-c",
        "echo new >/new; rm /etc/group; chmod 600 /etc/passwd",
      );
      const diff = await p.must("diff", name);
      for (const line of ["A /new", "D /etc/group", "C /etc/passwd"]) {
        assertStringIncludes(diff, line);
      }
      await p.must("commit", "-q", name, "localhost/made:1");
      const look = ["sh", "-c", "cat /new; ls /etc/group; stat -c %a /etc/passwd"];
      const result = await p.call("run", "--rm", "localhost/made:1", ...look);
      assertEquals(result.stdout, "new\n600\n", describe(result));
      await p.must("export", "-o", `${p.dir}/export.tar`, name);
      const list = await p.host(["tar", "-tf", `${p.dir}/export.tar`]);
      assertMatch(list.stdout, /^new$/m);
      await p.must("rm", "-f", "-t", "0", name);
      await p.must("rmi", "localhost/made:1");
    },
  },
  {
    name: "mount shows the files of a running container",
    notRootless: "it may not mount",
    async run(p) {
      const name = await service(p);
      await p.must("exec", name, "sh", "-c", "echo seen >/seen");
      const root = (await p.must("mount", name)).trimEnd();
      assertEquals(Deno.readTextFileSync(`${root}/seen`), "seen\n");
      Deno.writeTextFileSync(`${root}/put`, "put\n");
      await until(
        "put",
        async () => (await p.call("exec", name, "cat", "/put")).stdout === "put\n",
      );
      await p.must("unmount", name);
    },
  },
  {
    name: "secrets",
    async run(p) {
      await p.must("secret", "create", "s1", p.file("secret", "hidden"));
      assertEquals(await p.shell("cat /run/secrets/s1", "--secret", "s1"), "hidden");
      await p.must("secret", "rm", "s1");
    },
  },
];

/** The value of the first of these files in the group of a container. */
async function find(
  controller: string,
  id: string,
  files: readonly string[],
): Promise<[string, string]> {
  const places = [`/sys/fs/cgroup/${controller}`, "/sys/fs/cgroup"];
  for (const place of places) {
    const { stdout } = await new Deno.Command("find", {
      args: [place, "-type", "d", "-name", `*${id}*`],
    }).output();
    const [group] = new TextDecoder().decode(stdout).split("\n");
    if (group === undefined || group === "") continue;
    for (const file of files) {
      try {
        return [Deno.readTextFileSync(`${group}/${file}`).trim(), group];
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
  throw new Error(`no control group of ${id}`);
}

export const LIFE_CASES: readonly EngineCase<Podman>[] = [
  ...MANAGE_CASES,
  ...EXEC_CASES,
  ...FILE_CASES,
];
