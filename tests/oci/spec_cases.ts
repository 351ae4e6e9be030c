/**
 * The output of `spec` and `features`. Cases hold with runc too, unless they say otherwise. Not a
 * test: command_test.ts runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

async function written(t: Lifecycle, name: string, ...options: string[]) {
  const dir = t.file(name);
  Deno.mkdirSync(dir);
  await t.must("spec", "--bundle", dir, ...options);
  return { dir, config: JSON.parse(Deno.readTextFileSync(`${dir}/config.json`)) };
}

export const SPEC_CASES: readonly LifecycleCase[] = [
  {
    name: "spec writes a config.json of a shell in a terminal over rootfs",
    async run(t) {
      const { config } = await written(t, "spec");
      assertMatch(config.ociVersion, /^1\.\d+\.\d+/);
      assertEquals([config.process.args, config.process.terminal], [["sh"], true]);
      assertEquals(config.root, { path: "rootfs", readonly: true });
      assertEquals(config.process.noNewPrivileges, true);
      const types = config.linux.namespaces.map((entry: { type: string }) => entry.type);
      for (const type of ["pid", "network", "ipc", "uts", "mount"]) assert(types.includes(type));
    },
  },
  {
    name: "the config.json of spec runs",
    async run(t) {
      const { dir, config } = await written(t, "spec-runs");
      Deno.symlinkSync(t.bundle.root, `${dir}/link`);
      config.root.path = t.bundle.root;
      config.process.terminal = false;
      config.process.args = ["sh", "-c", "id -u; hostname; touch /x 2>/dev/null || echo ro"];
      config.process.env = ["PATH=/bin"];
      Deno.writeTextFileSync(`${dir}/config.json`, JSON.stringify(config));
      const result = await t.call("run", "--bundle", dir, t.id);
      assertEquals(result.stdout, `0\n${t.runtime}\nro\n`, describe(result));
    },
  },
  {
    name: "spec leaves a config.json alone that is there",
    async run(t) {
      const { dir } = await written(t, "spec-twice");
      Deno.writeTextFileSync(`${dir}/config.json`, "mine");
      const again = await t.call("spec", "--bundle", dir);
      assertEquals(again.code, 1);
      assertMatch(again.stderr, /exist/);
      assertEquals(Deno.readTextFileSync(`${dir}/config.json`), "mine");
    },
  },
  {
    name: "spec --rootless has users of its own, and no network",
    async run(t) {
      const { linux, mounts } = (await written(t, "spec-rootless", "--rootless")).config;
      const types = linux.namespaces.map((entry: { type: string }) => entry.type);
      assert(types.includes("user") && !types.includes("network"), types.join());
      const one = [{ containerID: 0, hostID: Deno.uid(), size: 1 }];
      assertEquals([linux.uidMappings, linux.gidMappings?.length], [one, 1]);
      assert(!JSON.stringify(mounts).includes("gid=5"));
    },
  },
  {
    name: "spec of a directory that is not there fails",
    async run(t) {
      const result = await t.call("spec", "--bundle", "/no/such");
      assertEquals(result.code, 1);
      assertMatch(result.stderr, /no such file/i);
    },
  },
  { name: "spec takes no words", run: (t) => refusesWord(t, "spec") },
  { name: "features takes no words", run: (t) => refusesWord(t, "features") },
  {
    name: "features names versions",
    async run(t) {
      const { ociVersionMin, ociVersionMax } = await features(t);
      assertMatch(ociVersionMin, /^1\.0\.\d/);
      assertMatch(ociVersionMax, /^1\.[12]\.\d/);
    },
  },
  {
    name: "features names all hooks",
    async run(t) {
      const hooks = "createContainer createRuntime poststart poststop prestart startContainer";
      assertEquals([...(await features(t)).hooks].sort().join(" "), hooks);
    },
  },
  {
    name: "features names options of mounts",
    async run(t) {
      const { mountOptions } = await features(t);
      const expected = "async atime bind defaults dev diratime dirsync exec loud noatime nodev " +
        "nodiratime noexec norelatime nostrictatime nosuid private rbind relatime ro " +
        "rprivate rslave rw silent slave strictatime suid sync tmpcopyup unbindable runbindable";
      for (const option of expected.split(" ")) assert(mountOptions.includes(option), option);
    },
  },
  {
    name: "features names namespaces and capabilities",
    async run(t) {
      const { linux } = await features(t);
      for (const type of ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]) {
        assert(linux.namespaces.includes(type), type);
      }
      for (const name of ["CAP_CHOWN", "CAP_NET_RAW", "CAP_BPF", "CAP_CHECKPOINT_RESTORE"]) {
        assert(linux.capabilities.includes(name), name);
      }
      assertEquals(linux.capabilities.length, 41);
    },
  },
  {
    name: "features names what control groups there can be",
    async run(t) {
      const { v1, v2, systemd, systemdUser } = (await features(t)).linux.cgroup;
      assertEquals([v1, v2, systemd, systemdUser], [true, true, true, true]);
    },
  },
  {
    name: "features names what filters of system calls can say",
    async run(t) {
      const { enabled, actions, operators, archs } = (await features(t)).linux.seccomp;
      assertEquals(enabled, true);
      for (const action of "ALLOW ERRNO KILL KILL_PROCESS KILL_THREAD LOG TRACE TRAP".split(" ")) {
        assert(actions.includes(`SCMP_ACT_${action}`), action);
      }
      const all = "EQ GE GT LE LT MASKED_EQ NE".split(" ").map((name) => `SCMP_CMP_${name}`);
      assertEquals([...operators].sort(), all);
      for (const arch of ["X86_64", "X86", "X32"]) assert(archs.includes(`SCMP_ARCH_${arch}`));
    },
  },
  {
    name: "mount options that features names are accepted",
    notRunc: "its file systems refuse some",
    async run(t) {
      // The others need more than their name, or do not fit an empty mount.
      const all: string[] = (await features(t)).mountOptions.filter((option: string) =>
        !/idmap|remount|shared|tmpcopyup/.test(option)
      );
      const config = t.script("echo ok").config;
      const plain = all.filter((option) => option !== "bind" && option !== "rbind");
      config.mounts.push(
        { destination: "/t", type: "tmpfs", source: "t", options: plain },
        { destination: "/b", type: "bind", source: t.bundle.dir, options: all },
      );
      t.bundle.write(config);
      const result = await t.call("run", "--bundle", t.bundle.dir, t.id);
      assertEquals([result.code, result.stdout], [0, "ok\n"], describe(result));
    },
  },
];

async function refusesWord(t: Lifecycle, verb: string): Promise<void> {
  const result = await t.call(verb, "word");
  assertEquals(result.code, 1, describe(result));
  assertMatch(result.stderr, /argument/);
}

async function features(t: Lifecycle) {
  return JSON.parse(await t.must("features"));
}
