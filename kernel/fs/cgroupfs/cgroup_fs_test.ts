import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { CGROUP2_SUPER_MAGIC } from "../../../ffi/abi/statfs.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { emptyStatFs } from "../../vfs/inode.ts";
import { openAt } from "../../vfs/open.ts";
import { errno, listDir } from "../../vfs/vfs_testing.ts";
import { ProcLab } from "../procfs/proc_testing.ts";
import { Cgroup2Type } from "./cgroup_fs.ts";

function cgroupLab(): { lab: ProcLab; type: Cgroup2Type } {
  const lab = new ProcLab(), type = new Cgroup2Type(lab.source);
  lab.mount(type, "/cgroup", "");
  return { lab, type };
}

Deno.test("limits are shown as they are now, and use as the sandbox has it", () => {
  const { lab, type } = cgroupLab();
  const read = (name: string) => lab.text(`/cgroup/${name}`);
  assertEquals([read("memory.max"), read("cpu.max")], ["max\n", "max 100000\n"]);
  assertEquals([read("pids.max"), read("memory.current")], ["max\n", "1048576\n"]);
  Object.assign(type.limits, { memoryMax: 4096, cpuQuotaUs: 5000, pidsMax: 7 });
  assertEquals([read("memory.max"), read("cpu.max")], ["4096\n", "5000 100000\n"]);
  assertEquals([read("pids.max"), read("pids.current")], ["7\n", "2\n"]);
  assertEquals(read("cgroup.procs"), "1\n");
  assertEquals(read("cpu.stat").split("\n")[0], "usage_usec 15000000");
});

Deno.test("every file can be read, and nothing can be written or made", () => {
  const { lab } = cgroupLab(), names = listDir(lab.root, "/cgroup");
  assertEquals(names.length > 20, true);
  for (const name of names) {
    assertEquals(lab.text(`/cgroup/${name}`).endsWith("\n"), true, name);
    const opened = openAt(lab.root, AT_FDCWD, `/cgroup/${name}`, O_WRONLY, 0);
    assertEquals(errno(opened), "EACCES", name);
  }
  assertEquals(errno(mkdirAt(lab.root, AT_FDCWD, "/cgroup/x", 0o755)), "EPERM");
  assertEquals(errno(openAt(lab.root, AT_FDCWD, "/cgroup/x", O_RDWR | O_CREAT, 0)), "EPERM");
});

Deno.test("it says that it is cgroup v2", () => {
  const { lab, type } = cgroupLab(), out = emptyStatFs();
  const fs = type.create(lab.root, "none", "");
  if (typeof fs === "number") throw new Error(`${fs}`);
  assertEquals([fs.statfs(out), out.type], [0, CGROUP2_SUPER_MAGIC]);
});
