/**
 * Bundles about /dev and other files that a runtime makes in a root directory. runc runs them too,
 * as those of bundle_cases.ts.
 */

import { bind, type BundleCase, mount } from "./bundle_cases.ts";

export const DEV_CASES: readonly BundleCase[] = [
  {
    name: "the devices of every container",
    script: "cd /dev; stat -c '%n %F %a %u %g %t:%T' full null random tty urandom zero; " +
      "for l in fd stdin stdout stderr ptmx; do readlink $l; done; head -c 3 zero | wc -c",
    prints: [
      ["full", "1:7"],
      ["null", "1:3"],
      ["random", "1:8"],
      ["tty", "5:0"],
      ["urandom", "1:9"],
      ["zero", "1:5"],
    ].map(([name, number]) => `${name} character special file 666 0 0 ${number}\n`).join("") +
      "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n3\n",
  },
  {
    name: "devices of its own",
    script: "cd /dev; stat -c '%n %F %a %u %g %t:%T' own/null pipe; echo x >own/null && echo ok",
    prints: "own/null character special file 640 3 4 1:3\npipe fifo 600 0 0 0:0\nok\n",
    prepare: (c) =>
      c.linux.devices = [
        {
          ...{ path: "/dev/own/null", type: "c", major: 1, minor: 3 },
          ...{ fileMode: 0o640, uid: 3, gid: 4 },
        },
        { path: "/dev/pipe", type: "p", fileMode: 0o600 },
      ],
  },
  {
    name: "a device without a driver exists, and cannot be opened",
    script: "stat -c '%F %t:%T' /dev/odd; cat /dev/odd 2>&1 | sed 's/.*: //'",
    prints: "block special file fe:7\nNo such device or address\n",
    prepare: (c) =>
      c.linux.devices = [{ path: "/dev/odd", type: "b", major: 254, minor: 7, fileMode: 0o600 }],
    notRunc: "the host decides what is there",
  },
  {
    name: "devices where /dev is a directory of the root",
    script: "echo x >/dev/null && stat -c %F /dev/zero && readlink /dev/ptmx",
    prints: "character special file\npts/ptmx\n",
    prepare: (c) => {
      c.mounts = c.mounts.filter((m) => !JSON.stringify(m).includes('"/dev'));
    },
  },
  {
    name: "a /dev that is a bind mount stays as it is",
    script: "ls /dev; echo x >/dev/null && echo ok",
    prints: "mine\nnull\nok\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/dev`);
      Deno.writeTextFileSync(`${b.dir}/dev/mine`, "");
      const args = ["-m", "666", `${b.dir}/dev/null`, "c", "1", "3"];
      new Deno.Command("mknod", { args }).outputSync();
      c.mounts = c.mounts.filter((m) => !JSON.stringify(m).includes('"/dev'));
      c.mounts.push(bind("dev", "/dev"));
    },
    after: (b) => {
      const names = [...Deno.readDirSync(`${b.dir}/dev`)].map((entry) => entry.name);
      if (names.sort().join() !== "mine,null") throw new Error(names.join());
    },
  },
  {
    name: "hidden files and directories",
    script: "cat /secret; ls /private; touch /private/x 2>/dev/null || echo no",
    prints: "no\n",
    prepare: (c, b) => {
      Deno.writeTextFileSync(`${b.root}/secret`, "secret");
      Deno.mkdirSync(`${b.root}/private/x`, { recursive: true });
      c.linux.maskedPaths = ["/secret", "/private", "/not/there"];
    },
  },
  {
    name: "read-only files and directories",
    script: "(echo x >/f) 2>/dev/null || echo no; touch /d/x 2>/dev/null || echo no; " +
      "touch /d/e/y 2>/dev/null || echo no; (echo 1 >/proc/sys/kernel/msgmax) 2>/dev/null || echo no",
    prints: "no\nno\nno\nno\n",
    prepare: (c, b) => {
      Deno.writeTextFileSync(`${b.root}/f`, "");
      Deno.mkdirSync(`${b.root}/d/e`, { recursive: true });
      c.linux.readonlyPaths = ["/f", "/d", "/proc/sys", "/not/there"];
    },
  },
  {
    name: "kernel settings",
    script: "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward " +
      "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    prints: "4096\n1\n0\n",
    prepare: (c) =>
      c.linux.sysctl = {
        "kernel.msgmax": "4096",
        "net.ipv4.ip_forward": "1",
        "net/ipv4/ip_unprivileged_port_start": "0",
      },
  },
  {
    name: "limits are seen in the control group",
    script: "cd /sys/fs/cgroup; cat memory.max cpu.max pids.max; cat /proc/self/cgroup; " +
      "(echo 1 >pids.max) 2>/dev/null || echo no",
    prints: "67108864\n150000 100000\n50\n0::/\nno\n",
    prepare: (c) => {
      c.mounts.push(mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro"));
      c.linux.resources = {
        memory: { limit: 67108864 },
        cpu: { quota: 150000, period: 100000 },
        pids: { limit: 50 },
      };
    },
    notRunc: "it shows the layout of the host",
  },
];
