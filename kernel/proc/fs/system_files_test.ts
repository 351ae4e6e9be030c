import { assert, assertEquals, assertMatch } from "@std/assert";
import { AT_FDCWD, O_RDONLY, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { openAt } from "../../vfs/open.ts";
import { BufferCursor, errno, listDir, mustOpen, readBytes } from "../../vfs/vfs_testing.ts";
import { CpuInfo } from "./cpu_info.ts";
import { cpuList, cpuMask, hex64, parseNumber } from "../../fs/generated/format.ts";
import { ProcLab } from "./proc_testing.ts";
import { SYSTEM_FILES } from "./system_files.ts";

function write(lab: ProcLab, path: string, text: string, offset: number = 0): string | number {
  const file = openAt(lab.root, AT_FDCWD, path, O_WRONLY, 0);
  if (typeof file === "number") return errno(file);
  const n = file.write(new BufferCursor(stringToBytes(text)), offset);
  file.drop();
  return errno(n);
}

Deno.test("every file of the system can be read", () => {
  const lab = new ProcLab();
  for (const path of SYSTEM_FILES.keys()) lab.text(`/proc/${path}`);
  for (const { path } of lab.source.sysctl.settings) {
    assert(lab.text(`/proc/sys/${path}`).endsWith("\n"), path);
  }
  for (const name of listDir(lab.root, "/proc/self/net")) lab.text(`/proc/net/${name}`);
});

Deno.test("stat, uptime, loadavg and meminfo add up", () => {
  const lab = new ProcLab();
  const stat = lab.text("/proc/stat").split("\n");
  assertEquals(stat[0], "cpu  1200 0 300 8500 0 0 0 0 0 0");
  assertEquals(stat[1], "cpu0 1200 0 300 8500 0 0 0 0 0 0");
  assert(stat.includes("btime 1699999900") && stat.includes("processes 9"));
  assertEquals(lab.text("/proc/uptime"), "100.00 85.00\n");
  assertEquals(lab.text("/proc/loadavg"), "0.50 0.25 0.13 1/2 9\n");
  const memory = lab.text("/proc/meminfo");
  assert(memory.startsWith("MemTotal:        1048576 kB\nMemFree:         1047552 kB\n"));
  assert(memory.includes("\nHugePages_Total:       0\n"));
  assertMatch(lab.text("/proc/version"), /^Linux version 6\.1\.0 \(.*\) \(.*\) #1 SMP\n$/);
});

Deno.test("/proc/net has a header a table, and the loopback device", () => {
  const lab = new ProcLab();
  lab.source.net.set("unix", { rows: () => "row\n" });
  assertEquals(
    lab.text("/proc/net/unix"),
    "Num       RefCount Protocol Flags    Type St Inode Path\nrow\n",
  );
  assertEquals(lab.text("/proc/net/tcp").length, 150);
  assertEquals(lab.text("/proc/net/route").length, 128);
  assertEquals(
    lab.text("/proc/net/dev").split("\n")[2],
    "    lo:       0       0    0    0    0     0          0         0" +
      "        0       0    0    0    0     0       0          0",
  );
});

Deno.test("settings take numbers within their bounds", () => {
  const lab = new ProcLab();
  assertEquals(write(lab, "/proc/sys/vm/swappiness", "10\n"), 3);
  assertEquals(lab.text("/proc/sys/vm/swappiness"), "10\n");
  assertEquals(lab.source.sysctl.number("vm/swappiness"), 10);
  for (const bad of ["201", "-1", "x", " ", "1x"]) {
    assertEquals(write(lab, "/proc/sys/vm/swappiness", bad), "EINVAL", bad);
  }
  // A limit of this kernel takes only its own value.
  assertEquals(write(lab, "/proc/sys/kernel/pid_max", "4194304"), 7);
  assertEquals(write(lab, "/proc/sys/kernel/pid_max", "32768"), "EINVAL");
  assertEquals(write(lab, "/proc/sys/net/ipv4/ip_local_port_range", "1024"), 4);
  assertEquals(lab.text("/proc/sys/net/ipv4/ip_local_port_range"), "1024\t60999\n");
  // Text behind the last number is ignored.
  assertEquals(write(lab, "/proc/sys/kernel/printk", "1 2 3 4 5"), 9);
  assertEquals(lab.text("/proc/sys/kernel/printk"), "1\t2\t3\t4\n");
  assertEquals(write(lab, "/proc/sys/kernel/ostype", "x"), "EACCES");
  assertEquals(errno(openAt(lab.root.as(9), AT_FDCWD, "/proc/sys/vm/swappiness", 1, 0)), "EACCES");
});

Deno.test("the host name is written up to its first line; a later part is dropped", () => {
  const lab = new ProcLab();
  assertEquals(write(lab, "/proc/sys/kernel/hostname", "new\nrest"), 8);
  assertEquals(lab.source.hostname, "new");
  assertEquals(write(lab, "/proc/sys/kernel/hostname", "tail", 3), 4);
  assertEquals(lab.text("/proc/sys/kernel/hostname"), "new\n");
  assertEquals(write(lab, "/proc/sys/fs/protected_symlinks", "0"), 1);
  assertEquals(lab.files.vfs.protectedSymlinks, false);
  assertEquals(write(lab, "/proc/sys/fs/protected_regular", "3"), "EINVAL");
});

Deno.test("boot_id stays, uuid is new each time it is read", () => {
  const lab = new ProcLab();
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/;
  const boot = lab.text("/proc/sys/kernel/random/boot_id");
  assertMatch(boot, uuid);
  assertEquals(lab.text("/proc/sys/kernel/random/boot_id"), boot);
  assertMatch(lab.text("/proc/sys/kernel/random/uuid"), uuid);
});

Deno.test("a text is made at offset 0 and read on unchanged", () => {
  const lab = new ProcLab();
  const file = mustOpen(lab.root, "/proc/sys/kernel/hostname", O_RDONLY);
  const read = (at: number, len: number): string =>
    new TextDecoder().decode(readBytes(file, at, len));
  assertEquals(read(0, 2), "fa");
  lab.source.hostname = "other";
  assertEquals(read(2, 9), "ke\n");
  assertEquals(read(5, 9), "");
  assertEquals(read(0, 9), "other\n");
  assertEquals(read(2 ** 40, 9), "");
  file.drop();
});

Deno.test("cpuinfo repeats one block of the host for the CPUs that there are", () => {
  const host =
    "processor\t: 3\nmodel name\t: X 1\nsiblings\t: 64\ncore id\t\t: 7\nflags\t\t: a b\n" +
    "power management:\n\nprocessor\t: 4\nmodel name\t: Y\n\n";
  const info = CpuInfo.fromHost(host);
  assertEquals(
    info.text(2),
    "processor\t: 0\nmodel name\t: X 1\nsiblings\t: 2\ncore id\t\t: 0\nflags\t\t: a b\n" +
      "power management:\n\nprocessor\t: 1\nmodel name\t: X 1\nsiblings\t: 2\ncore id\t\t: 1\n" +
      "flags\t\t: a b\npower management:\n\n",
  );
  assertEquals(info.value("model name"), "X 1");
  assertMatch(CpuInfo.fromHost("nonsense").text(1), /^processor\t: 0\n[^]*flags/);
});

Deno.test("masks and lists of CPUs, words and numbers", () => {
  assertEquals(cpuMask(null, 2), "3");
  assertEquals(cpuMask(null, 40), "ff,ffffffff");
  assertEquals(cpuMask(new Uint32Array([5, 1]), 33), "1,00000005");
  assertEquals(cpuList(null, 4), "0-3");
  assertEquals(cpuList(new Uint32Array([0b10110001]), 8), "0,4-5,7");
  assertEquals(cpuList(new Uint32Array([0]), 8), "");
  assertEquals(hex64(1, 0x80000000), "8000000000000001");
  assertEquals(["12", " -5\n", "0x1F", "010", "+3"].map(parseNumber), [12, -5, 31, 8, 3]);
  assertEquals(["", " ", "1 2", "1.5", "0x", "--1", "a"].map(parseNumber), Array(7).fill(null));
});
