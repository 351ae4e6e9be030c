/**
 * Where a container stands on the host: namespaces, control groups, hooks, consoles. Not a test.
 */

import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type Finished, run } from "../harness/dvisor.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

function inode(pid: number, name: string): number {
  return Deno.statSync(`/proc/${pid}/ns/${name}`).ino ?? 0;
}

/** A hook that writes a line and the status that it got on stdin. */
function hook(t: Lifecycle, kind: string): object {
  const script = `s=$(cat); echo "${kind} $(echo "$s" | tr -d ' \\n' | ` +
    `sed 's/.*"status":"\\([a-z]*\\)".*/\\1/')" >>${t.file("hooks")}`;
  return { path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/usr/bin:/bin"] };
}

/** A shell of the container's in its mounts and among its processes, as the host enters them. */
function enter(t: Lifecycle, script: string): Promise<Finished> {
  const argv = ["nsenter", "-t", String(t.pid), "-m", "-p", "/bin/sh", "-c", script];
  return run(argv, { env: { PATH: "/bin:/usr/bin" } });
}

export const PLACE_CASES: readonly LifecycleCase[] = [
  {
    name: "new namespaces are new, and others are the runtime's",
    async run(t) {
      t.config.linux["namespaces"] = ["pid", "ipc", "mount"].map((type) => ({ type }));
      t.config["hostname"] = "";
      await t.created();
      assert(inode(t.pid, "ipc") !== inode(Deno.pid, "ipc"));
      assertEquals(inode(t.pid, "net"), inode(Deno.pid, "net"));
    },
  },
  {
    name: "a namespace is joined by its path",
    async run(t) {
      const other = await new Deno.Command("unshare", {
        args: ["-n", "sh", "-c", `echo $$ >${t.file("other")}; exec sleep 20`],
      }).spawn();
      try {
        while (t.text("other") === "") await new Promise((resolve) => setTimeout(resolve, 20));
        const pid = Number(t.text("other"));
        t.config.linux["namespaces"] = [
          ...["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
          { type: "network", path: `/proc/${pid}/ns/net` },
        ];
        await t.created();
        assertEquals(inode(t.pid, "net"), inode(pid, "net"));
      } finally {
        other.kill("SIGKILL");
        await other.status;
      }
    },
  },
  {
    name: "the host sees the container's files at the root of its process",
    async run(t) {
      for (const name of ["host", "host2"]) Deno.mkdirSync(t.file(name));
      Deno.writeTextFileSync(t.file("host/x"), "bound");
      // Inside it means a directory of the container's.
      Deno.symlinkSync("/places/l", `${t.bundle.root}/link`);
      Deno.mkdirSync(`${t.bundle.root}/places/l`, { recursive: true });
      const bind = (destination: string, source: string, how: string): object => {
        return { destination, type: "bind", source: t.file(source), options: ["rbind", how] };
      };
      t.config.mounts.push(bind("/new/b", "host", "rw"), bind("/link", "host2", "ro"));
      t.config.mounts.push(bind("/dev/deep/b", "host", "rw"), bind("/dev/f", "host/x", "rw"));
      await t.running("echo made >/made; echo up; sleep 100");
      await t.until("up");
      const seen = `/proc/${t.pid}/root`;
      assertEquals(Deno.readTextFileSync(`${seen}/made`), "made\n");
      for (const path of ["new/b/x", "dev/deep/b/x", "dev/f"]) {
        assertEquals(Deno.readTextFileSync(`${seen}/${path}`), "bound");
      }
      Deno.writeTextFileSync(`${seen}/put`, "put");
      assertEquals(Deno.readTextFileSync(`${t.bundle.root}/put`), "put");
      for (const place of ["places/l", "sys"]) {
        assertThrows(() => Deno.writeTextFileSync(`${seen}/${place}/no`, ""));
      }
      const { stdout } = await enter(t, "cat /proc/1/comm; ls -d /boot /srv /home 2>/dev/null");
      assertMatch(stdout, /^\w+\n$/);
      await t.must("delete", "--force", t.id);
      assertEquals([...Deno.readDirSync(t.file("host2"))], []);
    },
  },
  {
    name: "the host cannot write to a tmpfs of the sandbox",
    notRunc: "its tmpfs is the host's",
    async run(t) {
      t.config.mounts.push({ destination: "/mem", type: "tmpfs", source: "tmpfs" });
      await t.running("echo made >/mem/made; echo up; sleep 100");
      await t.until("up");
      assertThrows(() => Deno.writeTextFileSync(`/proc/${t.pid}/root/mem/no`, ""));
      assertEquals((await t.must("exec", t.id, "ls", "/mem")).trim(), "made");
    },
  },
  {
    name: "nothing can be written to the files of a read-only root from the host",
    async run(t) {
      t.config.root["readonly"] = true;
      await t.running("echo up; sleep 100");
      await t.until("up");
      assertThrows(() => Deno.writeTextFileSync(`/proc/${t.pid}/root/no`, ""));
    },
  },
  {
    name: "a namespace path that is missing is an error",
    async run(t) {
      t.config.linux["namespaces"] = [
        { type: "mount" },
        { type: "network", path: "/no/such/namespace" },
      ];
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /namespace|no such file/);
    },
  },
  {
    name: "the container is in its control group, which is removed with it",
    async run(t) {
      t.config.linux["cgroupsPath"] = `/dvisor-test/${t.id}`;
      await t.created();
      assertMatch(
        Deno.readTextFileSync(`/proc/${t.pid}/cgroup`),
        new RegExp(`/dvisor-test/${t.id}`),
      );
      await t.must("delete", "--force", t.id);
      await t.reap();
      const found = new Deno.Command("find", {
        args: ["/sys/fs/cgroup", "-maxdepth", "4", "-name", t.id],
      }).outputSync();
      assertEquals(new TextDecoder().decode(found.stdout), "");
    },
  },
  {
    name: "hooks run in their order, with the state on stdin",
    notRunc: "it runs poststart at create",
    async run(t) {
      t.config["hooks"] = {
        prestart: [hook(t, "prestart")],
        createRuntime: [hook(t, "createRuntime")],
        poststart: [hook(t, "poststart")],
        poststop: [hook(t, "poststop")],
      };
      await t.created();
      const made = ["prestart", "createRuntime"];
      const lines = () => t.text("hooks").trim().split("\n").map((line) => line.split(" ")[0]);
      assertEquals(lines(), made);
      await t.must("start", t.id);
      await t.reap();
      assertEquals(lines(), [...made, "poststart"]);
      await t.must("delete", t.id);
      assertEquals(lines(), [...made, "poststart", "poststop"]);
      assertMatch(t.text("hooks"), /poststop stopped/);
    },
  },
  {
    name: "startContainer hooks run inside, before the program",
    async run(t) {
      const args = ["sh", "-c", "s=$(cat); case $s in *'\"created\"'*) hostname >/hook;; esac"];
      t.config["hooks"] = {
        startContainer: [{ path: "/bin/sh", args, env: ["PATH=/bin"] }],
      };
      await t.running("cat /hook");
      assertEquals(await t.reap(), 0);
      assertEquals(t.text("out"), "box\n");
    },
  },
  {
    name: "a startContainer hook that fails ends the container",
    notRunc: "its start does not wait for the hook",
    async run(t) {
      t.config["hooks"] = { startContainer: [{ path: "/bin/false" }] };
      await t.script("echo ran").created();
      const result = await t.call("start", t.id);
      assert(result.code !== 0);
      assertMatch(result.stderr, /hook/);
      assert(await t.reap() !== 0);
      assertEquals([t.text("out"), await t.status()], ["", "stopped"]);
    },
  },
  {
    name: "a startContainer hook that takes too long is killed",
    notRunc: "its start does not wait for the hook",
    async run(t) {
      const args = ["sh", "-c", "while :; do :; done"];
      t.config["hooks"] = { startContainer: [{ path: "/bin/sh", args, timeout: 1 }] };
      await t.script("echo ran").created();
      const result = await t.call("start", t.id);
      assertMatch(result.stderr, /startContainer\[0\].*timeout of 1s/);
      assert(await t.reap() !== 0);
    },
  },
  {
    name: "a hook that fails ends the creation, with its message",
    async run(t) {
      const args = ["sh", "-c", "echo reason >&2; exit 3"];
      t.config["hooks"] = { prestart: [{ path: "/bin/sh", args }] };
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /hook/);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
  {
    name: "in a user namespace files have the container's ids",
    async run(t) {
      const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
      t.config.linux["uidMappings"] = map;
      t.config.linux["gidMappings"] = map;
      t.config.linux["namespaces"] = ["user", "pid", "network", "ipc", "uts", "mount"].map((
        type,
      ) => ({
        type,
      }));
      new Deno.Command("chown", { args: ["-R", "100000:100000", t.bundle.root] }).outputSync();
      await t.running(
        "touch /new; chown 5:6 /new; stat -c %u:%g /new /bin; while :; do sleep 0.05; done",
      );
      await t.until("5:6\n0:0\n");
      const { uid, gid } = Deno.statSync(`${t.bundle.root}/new`);
      assertEquals([uid, gid], [100_005, 100_006]);
      assertEquals((await t.must("exec", t.id, "stat", "-c", "%u", "/bin")).trim(), "0");
      assert(inode(t.pid, "user") !== inode(Deno.pid, "user"));
    },
  },
  {
    name: "a user namespace without ids is an error",
    async run(t) {
      t.config.linux["namespaces"] = [{ type: "mount" }, { type: "uts" }, { type: "user" }];
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /uid ?[mM]apping|user namespaces? enabled/i);
    },
  },
  {
    name: "a terminal without a console socket is an error at create",
    async run(t) {
      t.config.process["terminal"] = true;
      assert((await t.create()).code !== 0);
      assertMatch(t.text("err"), /console/);
    },
  },
  {
    name: "a console socket without a terminal is an error",
    async run(t) {
      assert((await t.create("--console-socket", t.file("socket"))).code !== 0);
      assertMatch(t.text("err"), /console/);
    },
  },
];
