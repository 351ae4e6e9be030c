/** The rows of memory calls. */

import { type Row, row } from "../table.ts";
import * as advise from "./advise.ts";
import { sysCachestat } from "./cachestat.ts";
import * as map from "./mmap.ts";
import { sysMovePages } from "./move_pages.ts";
import * as policy from "./policy.ts";
import * as processMemory from "./process_memory.ts";
import * as vm from "./process_vm.ts";

const NO_PKEYS = "the processor is shown without protection keys";

export const rows: readonly Row[] = [
  row("mmap", map.sysMmap, "ptr size mmapprot mmapflags fd off", {
    support: "partial",
    note: "MAP_HUGETLB is ENOMEM: no huge pages are reserved",
  }),
  row("munmap", map.sysMunmap, "ptr size"),
  row("mprotect", map.sysMprotect, "ptr size mmapprot"),
  row("mremap", map.sysMremap, "ptr size size hex ptr"),
  row("brk", map.sysBrk, "ptr"),
  row("remap_file_pages", map.sysRemapFilePages, "ptr size int size mmapflags"),
  row("pkey_mprotect", map.sysPkeyMprotect, "ptr size mmapprot int", {
    support: "partial",
    note: NO_PKEYS,
  }),
  row("pkey_alloc", map.sysPkeyAlloc, "hex hex", { support: "refused", note: NO_PKEYS }),
  row("pkey_free", map.sysPkeyFree, "int", { support: "refused", note: NO_PKEYS }),
  row("madvise", advise.sysMadvise, "ptr size int"),
  row("msync", advise.sysMsync, "ptr size hex"),
  row("mincore", advise.sysMincore, "ptr size ptr"),
  row("mlock", advise.sysMlock, "ptr size", {
    support: "partial",
    note: "pages get memory at once; the host decides what stays there",
  }),
  row("mlock2", advise.sysMlock2, "ptr size hex", { support: "partial", note: "as mlock" }),
  row("munlock", advise.sysMunlock, "ptr size"),
  row("mlockall", advise.sysMlockall, "hex", { support: "partial", note: "as mlock" }),
  row("munlockall", advise.sysMunlockall, ""),
  row("mseal", advise.sysMseal, "ptr size hex"),
  row("set_mempolicy", policy.sysSetMempolicy, "int ptr ulong"),
  row("get_mempolicy", policy.sysGetMempolicy, "ptr ptr ulong ptr hex"),
  row("mbind", policy.sysMbind, "ptr size int ptr ulong hex", {
    support: "partial",
    note: "a policy of shared memory belongs to the mapping",
  }),
  row("set_mempolicy_home_node", policy.sysSetMempolicyHomeNode, "ptr size ulong hex"),
  row("migrate_pages", policy.sysMigratePages, "pid ulong ptr ptr"),
  row("move_pages", sysMovePages, "pid ulong ptr ptr ptr hex"),
  row("cachestat", sysCachestat, "fd ptr ptr hex", {
    support: "partial",
    note: "pages of host files count as cached and clean",
  }),
  row("process_madvise", processMemory.sysProcessMadvise, "fd ptr long int hex"),
  row("process_mrelease", processMemory.sysProcessMrelease, "fd hex"),
  row("process_vm_readv", vm.sysProcessVmReadv, "pid ptr long ptr long hex"),
  row("process_vm_writev", vm.sysProcessVmWritev, "pid ptr long ptr long hex"),
];
