/**
 * Files of /proc/PID about memory: maps, smaps, smaps_rollup, environ, auxv (proc_pid_maps(5) and
 * others). A caller that may inspect the process may open them.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import { majorOf, minorOf } from "../../../ffi/abi/stat.ts";
import { bytesToString } from "../../core/bytes.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import {
  VM_ACCOUNT,
  VM_DONTDUMP,
  VM_DONTFORK,
  VM_DROPPABLE,
  VM_GROWSDOWN,
  VM_HUGEPAGE,
  VM_LOCKED,
  VM_MERGEABLE,
  VM_NOHUGEPAGE,
  VM_NORESERVE,
  VM_RANDOM,
  VM_SEALED,
  VM_SEQUENTIAL,
  VM_UFFD_MINOR,
  VM_UFFD_MISSING,
  VM_UFFD_WP,
  VM_WIPEONFORK,
  type Vma,
} from "../../mm/vma.ts";
import { escapeNewlines, right } from "../../fs/generated/format.ts";
import type { MemoryUse } from "./memory_use.ts";

/** How a file about memory makes its text. */
interface MemoryFormat {
  render(mm: MemoryManager): string;
}

export const MEMORY_FORMATS: ReadonlyMap<string, MemoryFormat> = new Map([
  ["environ", { render: environ }],
  ["auxv", { render: auxv }],
]);

/** What a file shows of each area. */
interface AreaFormat {
  /** The cost of a record, in units of memory_use.ts. */
  readonly units: number;
  /** Records show how much memory the area has. */
  readonly counts: boolean;
  /** The record of an area; null: the file has only a total. */
  readonly record: ((mm: MemoryManager, vma: Vma, use: MemoryUse) => string) | null;
  /** The text at the end; null: none. */
  readonly total: ((mm: MemoryManager, use: MemoryUse) => string) | null;
}

/** Files with a record for each area (area_text.ts). */
export const AREA_FORMATS: ReadonlyMap<string, AreaFormat> = new Map<string, AreaFormat>([
  ["maps", { units: 1, counts: false, record: areaLine, total: null }],
  ["smaps", { units: 8, counts: true, record: smapsRecord, total: null }],
  ["numa_maps", { units: 2, counts: true, record: numaLine, total: null }],
  ["smaps_rollup", { units: 0.1, counts: true, record: null, total: rollup }],
]);

/** The column of names. */
const NAME_COLUMN = 73;

function areaLine(mm: MemoryManager, vma: Vma): string {
  const { backing, prot } = vma;
  const file = backing === null ? null : backing.shown ?? backing.inode;
  const dev = file?.dev ?? 0;
  const permissions = ((prot & PROT_READ) !== 0 ? "r" : "-") +
    ((prot & PROT_WRITE) !== 0 ? "w" : "-") + ((prot & PROT_EXEC) !== 0 ? "x" : "-") +
    (vma.isShared ? "s" : "p");
  const head = `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${permissions} ` +
    `${hex(backing === null ? 0 : vma.offset, 8)} ${hex(majorOf(dev), 2)}:` +
    `${hex(minorOf(dev), 2)} ${file?.ino ?? 0} `;
  const name = mm.nameOf(vma);
  if (name === "") return head + "\n";
  return `${head.padEnd(NAME_COLUMN - 1)} ${escapeNewlines(name)}\n`;
}

/** A line of numa_maps; all pages are on the only node. */
function numaLine(mm: MemoryManager, vma: Vma, use: MemoryUse): string {
  const name = mm.nameOf(vma), pages = use.resident;
  let text = `${hex(vma.start, 8)} ${vma.policy === null ? "default" : vma.policy.describe()}`;
  if (vma.backing !== null) text += ` file=${escapeNewlines(name).replaceAll(" ", "\\040")}`;
  else if (name === "[heap]" || name === "[stack]") text += ` ${name.slice(1, -1)}`;
  if (use.anonymous > 0) text += ` anon=${use.anonymous} dirty=${use.anonymous}`;
  if (pages > use.anonymous) text += ` mapped=${pages}`;
  if (pages > 0) text += ` active=0 N0=${pages} kernelpagesize_kB=4`;
  return text + "\n";
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function smapsRecord(mm: MemoryManager, vma: Vma, use: MemoryUse): string {
  return areaLine(mm, vma) + line("Size", (vma.end - vma.start) / PAGE_SIZE) +
    line("KernelPageSize", 1) + line("MMUPageSize", 1) + useLines(use, false) +
    `THPeligible:           0\nVmFlags: ${flagNames(vma)}\n`;
}

function rollup(mm: MemoryManager, use: MemoryUse): string {
  const { list } = mm.vmas, first = list[0], last = list[list.length - 1];
  if (first === undefined || last === undefined) return "";
  const head = `${hex(first.start, 8)}-${hex(last.end, 8)} ---p 00000000 00:00 0 `;
  return `${head.padEnd(NAME_COLUMN - 1)} [rollup]\n` + useLines(use, true);
}

/** The lines from Rss to Locked. Clean and dirty pages are not told apart: all count as dirty. */
function useLines(use: MemoryUse, isRollup: boolean): string {
  const own = use.resident - use.common, proportional = own + use.proportional;
  const kinds = isRollup
    ? line("Pss_Anon", proportional * ratio(use.anonymous, use)) +
      line("Pss_File", proportional * ratio(use.file, use)) +
      line("Pss_Shmem", proportional * ratio(use.shared, use))
    : "";
  return line("Rss", use.resident) + line("Pss", proportional) + line("Pss_Dirty", proportional) +
    kinds + line("Shared_Clean", 0) + line("Shared_Dirty", use.common) +
    line("Private_Clean", 0) + line("Private_Dirty", own) + line("Referenced", use.resident) +
    line("Anonymous", use.anonymous) + line("KSM", 0) + line("LazyFree", 0) +
    line("AnonHugePages", 0) + line("ShmemPmdMapped", 0) + line("FilePmdMapped", 0) +
    line("Shared_Hugetlb", 0) + line("Private_Hugetlb", 0) + line("Swap", 0) +
    line("SwapPss", 0) + line("Locked", use.locked);
}

function ratio(pages: number, use: MemoryUse): number {
  return use.resident === 0 ? 0 : pages / use.resident;
}

/** "Rss:                   8 kB" for a number of pages. */
function line(name: string, pages: number): string {
  return `${(name + ":").padEnd(16)}${right(Math.floor(pages * 4), 8)} kB\n`;
}

const PROT_NAMES: readonly (readonly [number, string, string])[] = [
  [PROT_READ, "rd", "mr"],
  [PROT_WRITE, "wr", "mw"],
  [PROT_EXEC, "ex", "me"],
];

/** Names in the order of the bits of Linux's vm_flags. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [VM_GROWSDOWN, "gd"],
  [VM_UFFD_MISSING, "um"],
  [VM_UFFD_WP, "uw"],
  [VM_LOCKED, "lo"],
  [VM_SEQUENTIAL, "sr"],
  [VM_RANDOM, "rr"],
  [VM_DONTFORK, "dc"],
  [VM_ACCOUNT, "ac"],
  [VM_NORESERVE, "nr"],
  [VM_WIPEONFORK, "wf"],
  [VM_DONTDUMP, "dd"],
  [VM_DROPPABLE, "dp"],
  [VM_HUGEPAGE, "hg"],
  [VM_NOHUGEPAGE, "nh"],
  [VM_MERGEABLE, "mg"],
  [VM_UFFD_MINOR, "ui"],
  [VM_SEALED, "sl"],
];

/** The names of the area's flags, each with a blank behind it. */
function flagNames(vma: Vma): string {
  let text = "";
  for (const [bit, name] of PROT_NAMES) if ((vma.prot & bit) !== 0) text += name + " ";
  if (vma.isShared) text += "sh ";
  for (const [bit, , name] of PROT_NAMES) if ((vma.maxProt & bit) !== 0) text += name + " ";
  if (vma.isShared) text += "ms ";
  for (const [bit, name] of FLAG_NAMES) if ((vma.flags & bit) !== 0) text += name + " ";
  return text;
}

function environ(mm: MemoryManager): string {
  const { envStart, envEnd } = mm.program;
  return memoryText(mm, envStart, envEnd - envStart);
}

function auxv(mm: MemoryManager): string {
  const { auxv } = mm.program;
  return bytesToString(auxv, 0, auxv.length);
}

/** LIMIT: bytes of arguments or environment that are shown; execve(2) takes up to 6 MiB. */
const MAX_MEMORY_TEXT = 8 << 20;

/** Guest memory as a byte string; it ends where nothing is mapped. */
export function memoryText(mm: MemoryManager, addr: number, len: number): string {
  if (len <= 0 || addr === 0) return "";
  const bytes = new Uint8Array(Math.min(len, MAX_MEMORY_TEXT));
  return bytesToString(bytes, 0, mm.readForced(bytes, 0, addr, bytes.length));
}
