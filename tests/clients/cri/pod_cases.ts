/** Pods, containers, limits and statistics as a kubelet asks for them. Not a test. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { alive } from "../../harness/processes.ts";
import { type EngineCase, until } from "../engines/engine_case.ts";
import { member } from "./bridge.ts";
import type { Container, Cri, Pod } from "./cri.ts";

const TRAP = 'trap "echo got-term; exit 7" TERM; echo up; while :; do sleep 0.1; done';
const WEB = "mkdir /w; hostname >/w/h; exec httpd -f -p 80 -h /w";

const BASIC_CASES: readonly EngineCase<Cri>[] = [
  {
    name: "a pod has an address, its containers logs, exit codes and variables",
    async run(c) {
      const pod = await c.pod();
      assertMatch(String(member(await pod.status(), "status.network.ip")), /^172\.31\.79\./);
      const one = await pod.container("echo out; echo err >&2; exec sleep 1000");
      await one.logged("stdout F out");
      await one.logged("stderr F err");
      const result = await one.exec("sh", "-c", "echo $K; echo e >&2; exit 4");
      assertEquals(result, { code: 4, stdout: "V\n", stderr: "e\n" });
      assertEquals(await one.shell("hostname"), "podhost\n");
    },
  },
  {
    name: "two containers meet on localhost, and see only their own processes",
    async run(c) {
      const pod = await c.pod();
      await pod.container(WEB);
      const other = await pod.container("exec sleep 1000");
      const fetch = "wget -T 5 -qO- http://127.0.0.1/h";
      await until("h", async () => (await other.exec("sh", "-c", fetch)).stdout === "podhost\n");
      assert(!(await other.shell("ps")).includes("httpd"));
    },
  },
  {
    name: "two containers share memory files and System V memory, and not their files",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000"), two = await pod.container("sleep 1000");
      await one.shell("echo own >/own");
      assertEquals((await two.exec("cat", "/own")).code, 1);
      await one.shell("echo s >/dev/shm/s");
      assertEquals(await two.shell("cat /dev/shm/s"), "s\n");
    },
  },
  {
    name: "a pod with one PID namespace: processes of all, and signals between them",
    async run(c) {
      const pod = await c.pod({ pid: "POD" });
      const one = await pod.container("exec sleep 4321"), two = await pod.container("sleep 1000");
      const list = await two.shell("ps");
      assertStringIncludes(list, "sleep 4321");
      assertMatch(list, /^ +1 /m);
      await two.shell("kill -9 $(ps | awk '/[s]leep 4321/ { print $1 }')");
      assertEquals(await one.exited(), 137);
      assertEquals(await two.state(), "CONTAINER_RUNNING");
    },
  },
  {
    name: "a pod on the node's network",
    async run(c) {
      const pod = await c.pod({ network: "NODE" });
      const one = await pod.container("exec sleep 1000");
      const { stdout } = await c.host(["ip", "-o", "link"]);
      const links = (await one.shell("ls /sys/class/net")).trim().split(/\s+/);
      assertEquals(links.length, stdout.trim().split("\n").length);
    },
  },
  {
    name: "a container ends and is made again, while another one runs",
    async run(c) {
      const pod = await c.pod();
      const stays = await pod.container("exec sleep 1000");
      for (let attempt = 0; attempt < 3; attempt++) {
        const one = await pod.container(`exit ${33 + attempt}`, { attempt });
        assertEquals(await one.exited(), 33 + attempt);
        await one.remove();
      }
      assertEquals(await stays.state(), "CONTAINER_RUNNING");
    },
  },
  {
    name: "stop with grace: a program that handles the signal, and one that ignores it",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container(TRAP), deaf = await pod.container("trap '' TERM; " + TRAP);
      await one.logged("up");
      await deaf.logged("up");
      assertEquals(await one.stop(20), 7);
      const waits = await pod.container("trap '' TERM; echo up; while :; do sleep 0.1; done");
      await waits.logged("up");
      assertEquals(await waits.stop(1), 137);
    },
  },
  {
    name: "a missing command is named",
    async run(c) {
      const pod = await c.pod();
      const start = async () => {
        const made = await pod.made(["/nosuch"]);
        await c.ask("StartContainer", { container_id: made.id });
      };
      const error = await assertRejects(start, Error);
      assertMatch(error.message, /\/nosuch.*no such file|not found/);
      const good = await pod.container("exec sleep 1000");
      await assertRejects(() => good.exec("/nosuch"), Error, "/nosuch");
      assertEquals(await good.shell("echo alive"), "alive\n");
    },
  },
  {
    name: "users, groups, read-only files, privileges and seccomp",
    async run(c) {
      const pod = await c.pod();
      const security = {
        run_as_user: { value: 1000 },
        run_as_group: { value: 1001 },
        supplemental_groups: [33],
        readonly_rootfs: true,
        no_new_privs: true,
        seccomp: { profile_type: "RuntimeDefault" },
        capabilities: { drop_capabilities: ["ALL"] },
      };
      const one = await pod.container("exec sleep 1000", { security });
      assertEquals(await one.shell("id -u; id -g; id -G"), "1000\n1001\n1001 33\n");
      const status = await one.shell("grep -E 'NoNewPrivs|Seccomp:|CapBnd' /proc/self/status");
      assertMatch(status, /CapBnd:\t0{16}\nNoNewPrivs:\t1\nSeccomp:\t2/);
      assertEquals((await one.exec("touch", "/tmp/x")).code, 1);
    },
  },
  {
    name: "mounts of the node, also read-only",
    async run(c) {
      const pod = await c.pod(), path = c.folder("m");
      c.file("m/x", "from the node\n");
      const mounts = [
        { container_path: "/m", host_path: path },
        { container_path: "/r", host_path: path, readonly: true },
      ];
      const one = await pod.container("exec sleep 1000", { more: { mounts } });
      assertEquals(await one.shell("echo y >/m/y; cat /r/x"), "from the node\n");
      assertEquals(Deno.readTextFileSync(`${path}/y`), "y\n");
      assertEquals((await one.exec("touch", "/r/no")).code, 1);
    },
  },
  {
    name: "name service, host aliases and sysctls of a pod",
    async run(c) {
      const pod = await c.pod({
        more: { dns_config: { servers: ["10.9.9.9"], searches: ["a.example"] } },
      });
      const one = await pod.container("exec sleep 1000");
      const text = await one.shell("cat /etc/resolv.conf");
      assertMatch(text, /search a\.example\nnameserver 10\.9\.9\.9/);
    },
  },
  {
    name: "five pods at once",
    async run(c) {
      const pods = await Promise.all([1, 2, 3, 4, 5].map(async () => {
        const pod = await c.pod();
        return await pod.container("echo up; exec sleep 1000");
      }));
      for (const one of pods) await one.logged("up");
    },
  },
];

async function memoryMax(one: Container): Promise<number> {
  const paths = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max";
  return Number(await one.shell(`for f in ${paths}; do [ ! -e $f ] || cat $f; done`));
}

const LIMIT_CASES: readonly EngineCase<Cri>[] = [
  {
    name: "limits are seen inside, and change while the container runs",
    async run(c) {
      const pod = await c.pod();
      const resources = { memory_limit_in_bytes: 64 << 20, cpu_quota: 50_000, cpu_period: 100_000 };
      const one = await pod.container("exec sleep 1000", { resources });
      assertEquals(await memoryMax(one), 64 << 20);
      const linux = { memory_limit_in_bytes: 80 << 20, cpu_quota: 150_000, cpu_period: 100_000 };
      await c.ask("UpdateContainerResources", { container_id: one.id, linux });
      assertEquals(await memoryMax(one), 80 << 20);
      assertEquals((await one.exec("true")).code, 0);
    },
  },
  {
    name: "a container over its limit is OOMKilled, the others of the pod live",
    async run(c) {
      const pod = await c.pod();
      const stays = await pod.container("exec sleep 1000");
      const resources = { memory_limit_in_bytes: 40 << 20 };
      const eater = "exec dd if=/dev/zero of=/dev/null bs=90M count=1";
      const one = await pod.container(eater, { resources });
      assertEquals(await one.exited(), 137);
      await until("reason", async () => await one.status("status.reason") === "OOMKilled");
      assertEquals(await stays.state(), "CONTAINER_RUNNING");
    },
  },
  {
    name: "statistics of containers and pods",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("while :; do :; done");
      const stats = await c.ask("ContainerStats", { container_id: one.id });
      assert(Number(member(stats, "stats.memory.usage_bytes.value")) > 0, JSON.stringify(stats));
      const list = await c.ask("ListContainerStats", { filter: { pod_sandbox_id: pod.id } });
      assertEquals(member(list, "stats.0.attributes.id"), one.id);
      const used = async () => {
        const reply = await c.ask("PodSandboxStats", { pod_sandbox_id: pod.id });
        assert(Number(member(reply, "stats.linux.memory.usage_bytes.value")) > 0);
        assertEquals(member(reply, "stats.linux.network.default_interface.name"), "eth0");
        return Number(member(reply, "stats.linux.cpu.usage_core_nano_seconds.value"));
      };
      const before = await used();
      await until("cpu time of the pod", async () => await used() > before + 100_000_000);
      const all = await c.ask("ListPodSandboxStats", {});
      assertEquals(member(all, "stats.0.attributes.id"), pod.id);
    },
  },
  {
    name: "dvisor's annotations on a pod",
    notRunc: "dvisor's own",
    async run(c) {
      const pod = await c.pod({ annotations: { "dev.dvisor.platform": "ptrace" } });
      const one = await pod.container("exec sleep 1000");
      assertEquals(await one.shell("echo $((1+1))"), "2\n");
      const wrong = () => c.pod({ annotations: { "dev.dvisor.platform": "odd" } });
      const error = await assertRejects(wrong, Error);
      assertMatch(error.message, /dev\.dvisor\.platform.*odd/);
      const overlay = await c.pod({ annotations: { "dev.dvisor.overlay": "memory" } });
      const two = await overlay.container("echo x >/x; cat /x; exec sleep 1000");
      await two.logged("stdout F x");
      const root =
        `${c.dir}/containerd-state/io.containerd.runtime.v2.task/k8s.io/${two.id}/rootfs`;
      await assertRejects(() => Deno.lstat(`${root}/x`), Deno.errors.NotFound);
    },
  },
  {
    name: "a checkpoint is refused, and the container lives on",
    notRunc: "needs criu",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const request = { container_id: one.id, location: `${c.dir}/cp.tar` };
      await assertRejects(() => c.ask("CheckpointContainer", request), Error);
      assertEquals(await one.shell("echo alive"), "alive\n");
    },
  },
  {
    name: "the sandbox ends when its first container does, and all of the pod with it",
    notRunc: "each of its containers is on its own",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const pids = await processes(pod, one);
      Deno.kill(pids[0] ?? 0, "SIGKILL");
      await until("end of the pod", async () => {
        return member(await pod.status(), "status.state") === "SANDBOX_NOTREADY";
      });
      assertEquals(await one.exited(), 137);
      await until("end of processes", () => alive(pids).length === 0);
      const again = await c.pod();
      assertEquals(await (await again.container("exec sleep 9")).shell("echo alive"), "alive\n");
    },
  },
  {
    name: "nothing of removed pods is left",
    async run(c) {
      const pod = await c.pod();
      const pids = await processes(pod, await pod.container("exec sleep 1000"));
      await c.sweep();
      await until("end of processes", () => alive(pids).length === 0);
      const state = "/run/containerd/runc/k8s.io";
      assertEquals([...Deno.readDirSync(state)].map((entry) => entry.name), []);
      const { stdout } = await c.host(["find", "/sys/fs/cgroup", "-name", pod.id]);
      assertEquals(stdout, "");
    },
  },
];

/** On the node: of the pod's first container, and of another one. */
async function processes(pod: Pod, one: Container): Promise<number[]> {
  const sandbox = JSON.parse(String(member(await pod.status(), "info.info")));
  const container = JSON.parse(String(await one.status("info.info")));
  return [Number(sandbox.pid), Number(container.pid)];
}

export const POD_CASES: readonly EngineCase<Cri>[] = [...BASIC_CASES, ...LIMIT_CASES];
