import { assertEquals } from "@std/assert";
import { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { MS_NOEXEC } from "../../../ffi/abi/mount.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysTruncate } from "../fs/attributes.ts";
import { sysOpen } from "../fs/open.ts";
import * as advise from "./advise.ts";
import * as map from "./mmap.ts";
import * as vm from "./process_vm.ts";

const BAD = 0x10, NONE = 2 ** 32 - 1;
const SHARED = 1, PRIVATE = 2, ANON = 0x20, HUGETLB = 0x40000;

Deno.test("mmap of files: descriptors, access modes, noexec mounts", () => {
  const lab = new CallLab(), { sysMmap } = map;
  lab.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o644);
  lab.call(sysTruncate, "/f", 10000);
  lab.call(sysOpen, "/f", O_RDONLY, 0);
  lab.call(sysOpen, "/f", O_WRONLY, 0);
  assertEquals(lab.call(sysMmap, 0, 4096, 1, SHARED, NONE, 0), "EBADF");
  assertEquals(lab.call(sysMmap, 0, 4096, 1, SHARED, 0, 1), "EINVAL");
  assertEquals(lab.call(sysMmap, 0, 0, 1, SHARED, 0, 0), "EINVAL");
  assertEquals(lab.call(sysMmap, 0, 4096, 3, SHARED, 1, 0), "EACCES");
  assertEquals(lab.call(sysMmap, 0, 4096, 1, PRIVATE, 2, 0), "EACCES");
  assertEquals(lab.call(sysMmap, 0, 4096, 1, 0, 0, 0), "EINVAL");
  assertEquals(lab.call(sysMmap, 0, 4096, 3, ANON | PRIVATE | HUGETLB, NONE, 0), "ENOMEM");
  const shared = Number(lab.call(sysMmap, 0, 8192, 1, SHARED, 1, 0));
  assertEquals(lab.call(map.sysMprotect, shared, 4096, 3), "EACCES");
  assertEquals(lab.call(map.sysMprotect, shared, 4096, 5), 0);
  lab.namespace.root.flags |= MS_NOEXEC;
  assertEquals(lab.call(sysMmap, 0, 4096, 5, PRIVATE, 0, 0), "EPERM");
  const data = Number(lab.call(sysMmap, 0, 4096, 3, PRIVATE, 0, 0));
  assertEquals(lab.call(map.sysMprotect, data, 4096, 5), "EACCES");
  assertEquals(lab.call(map.sysMunmap, data, 4096), 0);
});

Deno.test("remap_file_pages shows another part of the same file", () => {
  const lab = new CallLab();
  lab.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o644);
  lab.call(sysTruncate, "/f", 3 * 4096);
  const at = Number(lab.call(map.sysMmap, 0, 3 * 4096, 3, SHARED, 0, 0));
  for (let i = 0; i < 3; i++) lab.task.mm.store8(at + i * 4096, 10 + i);
  assertEquals(lab.call(map.sysRemapFilePages, at, 4096, 0, 2, 0), 0);
  assertEquals(lab.task.mm.load8(at), 12);
  assertEquals(lab.call(map.sysRemapFilePages, at, 4096, 1, 2, 0), "EINVAL");
  assertEquals(lab.call(map.sysRemapFilePages, lab.memory, 4096, 0, 2, 0), "EINVAL");
});

Deno.test("process_vm_readv stops at the first page that is not there", () => {
  const lab = new CallLab(), m = lab.memory;
  const src = Number(lab.call(map.sysMmap, 0, 8192, 3, PRIVATE | ANON, NONE, 0));
  lab.task.mm.store32(src + 4092, 0x01020304);
  assertEquals(lab.call(map.sysMunmap, src + 4096, 4096), 0);
  lab.poke64(0, m + 1000);
  lab.poke64(8, 100);
  lab.poke64(16, src + 4090);
  lab.poke64(24, 100);
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, m, 1, m + 16, 1, 0), 6);
  assertEquals(lab.view(1002, 4).getUint32(0, true), 0x01020304);
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, m, 1, m + 16, 1, 1), "EINVAL");
  assertEquals(lab.call(vm.sysProcessVmReadv, 77, m, 1, m + 16, 1, 0), "ESRCH");
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, m, 1025, m + 16, 1, 0), "EINVAL");
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, BAD, 1, m + 16, 1, 0), "EFAULT");
  lab.poke64(16, BAD);
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, m, 1, m + 16, 1, 0), "EFAULT");
  assertEquals(lab.call(vm.sysProcessVmReadv, 1, m, 0, m + 16, 1, 0), 0);
});

Deno.test("locking is bounded by RLIMIT_MEMLOCK unless CAP_IPC_LOCK", () => {
  const lab = new CallLab(), m = lab.memory;
  assertEquals(lab.call(advise.sysMlock, m, 4096), 0);
  assertEquals(lab.call(advise.sysMlock2, m, 4096, 2), "EINVAL");
  assertEquals(lab.call(advise.sysMlockall, 0), "EINVAL");
  assertEquals(lab.call(advise.sysMlockall, 8), "EINVAL");
  assertEquals(lab.call(advise.sysMunlockall), 0);
  const none = { lo: 0, hi: 0 };
  lab.task.cred = { ...lab.task.cred, effective: none };
  lab.task.group.limits.set(8, 0, 0);
  assertEquals(lab.call(advise.sysMlock, m, 4096), "EPERM");
  lab.task.group.limits.set(8, 4096, 4096);
  assertEquals(lab.call(advise.sysMlock, m, 8192), "ENOMEM");
  assertEquals(lab.call(advise.sysMlockall, 1), "ENOMEM");
});
