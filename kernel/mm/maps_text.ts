/** A process's areas as text: /proc/PID/maps and smaps (proc_pid_maps(5)). Byte strings. */

import { PROT_EXEC, PROT_READ, PROT_WRITE } from "../../platform/platform.ts";
import { PAGE_SIZE } from "./frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_FILE, PAGE_SHARED } from "./pages.ts";
import * as V from "./vma.ts";

/** Column of the name in a line of maps. */
const NAME_COLUMN = 73;

function hex(n: number, digits: number): string {
  return n.toString(16).padStart(digits, "0");
}

/** One line of /proc/PID/maps, with its newline. */
export function mapsLine(mm: MemoryManager, vma: V.Vma): string {
  const rights = (vma.prot & PROT_READ ? "r" : "-") + (vma.prot & PROT_WRITE ? "w" : "-") +
    (vma.prot & PROT_EXEC ? "x" : "-") + (vma.isShared ? "s" : "p");
  const { backing } = vma, dev = backing?.inode.dev ?? 0;
  const offset = backing === null ? 0 : vma.offset;
  const line = `${hex(vma.start, 8)}-${hex(vma.end, 8)} ${rights} ${hex(offset, 8)} ` +
    `${hex(dev >>> 8 & 0xfff, 2)}:${hex(dev & 0xff | dev >>> 12 & 0xfff00, 2)} ` +
    `${backing?.inode.ino ?? 0} `;
  const name = mm.nameOf(vma);
  return name === "" ? line + "\n" : line.padEnd(NAME_COLUMN) + escapeName(name) + "\n";
}

/** A newline in a path would look like another area. */
function escapeName(name: string): string {
  return name.replaceAll("\n", "\\012");
}

/** /proc/PID/maps. */
export function mapsText(mm: MemoryManager): string {
  let text = "";
  for (const vma of mm.vmas.list) text += mapsLine(mm, vma);
  return text;
}

/** Pages of one area by state. */
export interface AreaPages {
  /** With a frame. */
  resident: number;
  /** Frames that are nobody else's. */
  own: number;
  /** Resident pages that are no file pages. */
  anonymous: number;
}

export function countPages(mm: MemoryManager, vma: V.Vma): AreaPages {
  const map = mm.pages, from = vma.start / PAGE_SIZE, to = vma.end / PAGE_SIZE;
  const count = { resident: 0, own: 0, anonymous: 0 };
  for (let i = map.indexOf(from); i < map.length && map.start(i) < to; i++) {
    if (map.frame(i) < 0) continue;
    const n = Math.min(to, map.end(i)) - Math.max(from, map.start(i));
    count.resident += n;
    if ((map.flags(i) & (PAGE_COW | PAGE_SHARED)) === 0) count.own += n;
    if ((map.flags(i) & (PAGE_FILE | PAGE_SHARED)) === 0) count.anonymous += n;
  }
  return count;
}

/** VmFlags of smaps for each bit of an area's flags. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [V.VM_SHARED, "sh"],
  [V.VM_GROWSDOWN, "gd"],
  [V.VM_LOCKED, "lo"],
  [V.VM_SEQUENTIAL, "sr"],
  [V.VM_RANDOM, "rr"],
  [V.VM_DONTFORK, "dc"],
  [V.VM_NORESERVE, "nr"],
  [V.VM_WIPEONFORK, "wf"],
  [V.VM_DONTDUMP, "dd"],
  [V.VM_HUGEPAGE, "hg"],
  [V.VM_NOHUGEPAGE, "nh"],
  [V.VM_MERGEABLE, "mg"],
];

function vmFlags(vma: V.Vma): string {
  let flags = "";
  for (const [bit, name] of [[PROT_READ, "rd"], [PROT_WRITE, "wr"], [PROT_EXEC, "ex"]] as const) {
    if ((vma.prot & bit) !== 0) flags += `${name} `;
  }
  for (const [bit, name] of [[PROT_READ, "mr"], [PROT_WRITE, "mw"], [PROT_EXEC, "me"]] as const) {
    if ((vma.maxProt & bit) !== 0) flags += `${name} `;
  }
  for (const [bit, name] of FLAG_NAMES) if ((vma.flags & bit) !== 0) flags += `${name} `;
  return flags;
}

/** /proc/PID/smaps. Sizes count frames, whether or not the host has touched them. */
export function smapsText(mm: MemoryManager): string {
  let text = "";
  const row = (name: string, kib: number): void => {
    text += `${name}:`.padEnd(16) + `${kib} kB`.padStart(11) + "\n";
  };
  for (const vma of mm.vmas.list) {
    const pages = countPages(mm, vma), shared = pages.resident - pages.own;
    text += mapsLine(mm, vma);
    row("Size", (vma.end - vma.start) / 1024);
    row("KernelPageSize", 4);
    row("MMUPageSize", 4);
    row("Rss", pages.resident * 4);
    row("Pss", pages.own * 4 + Math.floor(shared / 2) * 4);
    row("Pss_Dirty", pages.own * 4);
    row("Shared_Clean", 0);
    row("Shared_Dirty", shared * 4);
    row("Private_Clean", 0);
    row("Private_Dirty", pages.own * 4);
    row("Referenced", pages.resident * 4);
    row("Anonymous", pages.anonymous * 4);
    row("KSM", 0);
    row("LazyFree", 0);
    row("AnonHugePages", 0);
    row("ShmemPmdMapped", 0);
    row("FilePmdMapped", 0);
    row("Shared_Hugetlb", 0);
    row("Private_Hugetlb", 0);
    row("Swap", 0);
    row("SwapPss", 0);
    row("Locked", (vma.flags & V.VM_LOCKED) !== 0 ? pages.resident * 4 : 0);
    text += `THPeligible:           0\nVmFlags: ${vmFlags(vma)}\n`;
  }
  return text;
}
