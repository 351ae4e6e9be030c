/** Tests of sysfs.ts: files, network devices, and that nothing can be written. */

import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { emptyStatFs } from "../../vfs/inode.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { openAt } from "../../vfs/open.ts";
import { findAt, readlinkAt, statAt } from "../../vfs/status.ts";
import { errno, listDir } from "../../vfs/vfs_testing.ts";
import { ProcLab } from "../../proc/fs/proc_testing.ts";
import { SysFsType } from "./sysfs.ts";

function sysLab(): ProcLab {
  const lab = new ProcLab();
  lab.mount(new SysFsType(lab.source), "/sys", "");
  return lab;
}

Deno.test("/sys shows CPUs, a memory node and huge page settings", () => {
  const lab = sysLab(), cpus = "/sys/devices/system/cpu";
  assertEquals(lab.text(`${cpus}/online`), "0\n");
  assertEquals(lab.text(`${cpus}/cpu0/topology/core_siblings`), "1\n");
  assertEquals(lab.text("/sys/devices/system/node/node0/cpulist"), "0\n");
  assertEquals(
    lab.text("/sys/kernel/mm/transparent_hugepage/enabled"),
    "always madvise [never]\n",
  );
  assertEquals(listDir(lab.root, "/sys/fs/cgroup"), []);
  assertEquals(lab.text(`${cpus}/cpu0/node0/distance`), "10\n");
});

Deno.test("every file of /sys can be read or fails with a known errno", () => {
  const lab = sysLab();
  let files = 0;
  const visit = (dir: string): void => {
    for (const name of listDir(lab.root, dir)) {
      const path = `${dir}/${name}`, inode = statAt(lab.root, AT_FDCWD, path, 0x100);
      assert(typeof inode !== "number", path);
      const type = inode.mode & 0o170000;
      if (type === 0o040000) visit(path);
      if (type !== 0o100000) continue;
      files++;
      assertEquals([inode.size, inode.mode], [4096, 0o100444], path);
      if (name !== "speed" && name !== "duplex") assert(lab.text(path).endsWith("\n"), path);
    }
  };
  visit("/sys");
  assert(files > 60);
});

Deno.test("network devices come and go; classes link to them", () => {
  const lab = sysLab(), { net } = lab.source, [lo] = net.devices.list();
  assert(lo !== undefined);
  assertEquals(readlinkAt(lab.root, AT_FDCWD, "/sys/class/net/lo"), "../../devices/virtual/net/lo");
  assertEquals(lab.text("/sys/class/net/lo/mtu"), "65536\n");
  assertEquals(lab.text("/sys/class/net/lo/statistics/rx_bytes"), "0\n");
  const list = [lo, { ...lo, name: "eth0", index: 2, mtu: 1500 }];
  net.devices = { list: () => list };
  assertEquals(listDir(lab.root, "/sys/class/net"), ["lo", "eth0"]);
  assertEquals(lab.text("/sys/class/net/eth0/mtu"), "1500\n");
  list.pop();
  assertEquals(errno(statAt(lab.root, AT_FDCWD, "/sys/class/net/eth0", 0)), "ENOENT");
});

Deno.test("nothing of /sys can be written or made", () => {
  const lab = sysLab();
  assertEquals(errno(openAt(lab.root, AT_FDCWD, "/sys/kernel/fscaps", O_RDWR, 0)), "EACCES");
  assertEquals(errno(openAt(lab.root, AT_FDCWD, "/sys/new", O_CREAT | O_WRONLY, 0)), "EACCES");
  assertEquals(errno(mkdirAt(lab.root, AT_FDCWD, "/sys/new", 0o755)), "EPERM");
  const path = findAt(lab.root, AT_FDCWD, "/sys", 0), out = emptyStatFs();
  assert(typeof path !== "number");
  assertEquals(path.mount.fs.statfs(out), 0);
  assertEquals(out.type, 0x62656572);
});
