import { assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysOpen } from "../fs/open.ts";
import { sysWrite } from "../io/read_write.ts";
import { sysPidfdOpen } from "../process/pidfd.ts";
import * as advise from "./advise.ts";
import { sysCachestat } from "./cachestat.ts";
import * as map from "./mmap.ts";
import { sysMovePages } from "./move_pages.ts";
import * as policy from "./policy.ts";
import { sysProcessMadvise, sysProcessMrelease } from "./process_memory.ts";

const BAD = 8, IN = 0, OUT = 8192, NONE = 999_999, UNMAPPED = 0x10000;
const MINUS = 2 ** 64 - 2048, MINUS_PAGE = 2 ** 64 - PAGE_SIZE;
type Args = readonly number[];

/** Four pages with memory at `at`, and three with a hole in the middle at `hole`. */
class PageLab extends CallLab {
  readonly at: number = this.map(4);
  readonly hole: number = this.map(3);

  constructor() {
    super();
    this.task.mm.store8(this.at, 1);
    assertEquals(this.call(map.sysMunmap, this.hole + PAGE_SIZE, PAGE_SIZE), 0);
  }
  private map(pages: number): number {
    return Number(this.call(map.sysMmap, 0, pages * PAGE_SIZE, 3, 0x22, 2 ** 32 - 1, 0));
  }
  /** Each row: arguments, and the result. */
  all(handler: Parameters<CallLab["call"]>[0], rows: readonly [Args, number | string][]): void {
    for (const [args, expected] of rows) {
      assertEquals(this.call(handler, ...args), expected, `${handler.name} ${args.join(" ")}`);
    }
  }
  int(): number | undefined {
    return this.readWords(32, OUT, 1)[0];
  }
}

Deno.test("memory policies of a thread: modes, masks, flags", () => {
  const lab = new PageLab(), one = lab.words(64, IN, 1), two = lab.words(64, 64, 2);
  const out = lab.memory + OUT;
  lab.all(policy.sysSetMempolicy, [
    [[99, BAD, 99], "EINVAL"],
    [[0, one, 64], "EINVAL"],
    [[2, 0, 0], "EINVAL"],
    [[2, BAD, 64], "EFAULT"],
    [[2, two, 64], "EINVAL"],
    [[2, one, 40_000], "EINVAL"],
    [[0xc002, one, 64], "EINVAL"],
    [[3, one, 64], 0],
  ]);
  lab.all(policy.sysGetMempolicy, [
    [[0, out, 0, 0, 0], "EINVAL"],
    [[0, 0, 0, 0, 8], "EINVAL"],
    [[0, 0, 0, lab.at, 0], "EINVAL"],
    [[0, 0, 0, UNMAPPED, 2], "EFAULT"],
    [[BAD, 0, 0, 0, 0], "EFAULT"],
    [[0, out, 1024, 0, 5], "EINVAL"],
    [[0, BAD, 1024, 0, 4], "EFAULT"],
    [[out, 0, 0, 0, 0], 0],
  ]);
  assertEquals(lab.int(), 3);
});

Deno.test("mbind and set_mempolicy_home_node: ranges, modes, mappings", () => {
  const lab = new PageLab(), one = lab.words(64, IN, 1), { at, hole } = lab;
  lab.all(policy.sysMbind, [
    [[at + 1, PAGE_SIZE, 0, 0, 0, 0], "EINVAL"],
    [[at, PAGE_SIZE, 99, 0, 0, 0], "EINVAL"],
    [[at, PAGE_SIZE, 2, one, 64, 8], "EINVAL"],
    [[at, PAGE_SIZE, 2, BAD, 64, 0], "EFAULT"],
    [[at, 0, 2, one, 64, 0], 0],
    [[at, 2 ** 63, 2, one, 64, 0], "EFAULT"],
    [[UNMAPPED, PAGE_SIZE, 2, one, 64, 0], "EFAULT"],
    [[hole, 3 * PAGE_SIZE, 2, one, 64, 0], "EFAULT"],
    [[at, PAGE_SIZE, 2, one, 64, 0], 0],
  ]);
  const modeAt = (addr: number) => {
    assertEquals(lab.call(policy.sysGetMempolicy, lab.memory + OUT, 0, 0, addr, 2), 0);
    return lab.int();
  };
  assertEquals([modeAt(at), modeAt(at + PAGE_SIZE)], [2, 0], "the first page alone");
  lab.all(policy.sysSetMempolicyHomeNode, [
    [[at + 1, PAGE_SIZE, 0, 0], "EINVAL"],
    [[at, PAGE_SIZE, 0, 1], "EINVAL"],
    [[at, PAGE_SIZE, 9, 0], "EINVAL"],
    [[at, 0, 0, 0], 0],
    [[at + PAGE_SIZE, PAGE_SIZE, 0, 0], "ENOENT"],
    [[at, PAGE_SIZE, 0, 0], 0],
  ]);
});

Deno.test("migrate_pages and move_pages: masks, the process, each page's node", () => {
  const lab = new PageLab(), one = lab.words(64, IN, 1), two = lab.words(64, 64, 2);
  const pages = lab.words(64, 128, lab.at, lab.at + PAGE_SIZE, UNMAPPED), out = lab.memory + OUT;
  lab.all(policy.sysMigratePages, [
    [[NONE, 64, BAD, BAD], "EFAULT"],
    [[NONE, 64, one, one], "ESRCH"],
    [[0, 64, one, two], "EINVAL"],
    [[0, 64, two, one], 0],
  ]);
  lab.all(sysMovePages, [
    [[NONE, 1, BAD, 0, BAD, 8], "EINVAL"],
    [[NONE, 1, BAD, 0, BAD, 0], "ESRCH"],
    [[0, 1, BAD, 0, out, 0], "EFAULT"],
    [[0, 1, pages, 0, BAD, 0], "EFAULT"],
    [[0, 1, pages, BAD, out, 0], "EFAULT"],
    [[0, 1, pages, lab.words(32, 256, 5), out, 0], "ENODEV"],
    [[0, 0, BAD, 0, BAD, 0], 0],
    [[0, 3, pages, 0, out, 0], 0],
  ]);
  assertEquals(lab.readWords(32, OUT, 3), [0, -2, -14], "touched, untouched, unmapped");
});

Deno.test("process_madvise and process_mrelease: flags, ranges, the pidfd, the advice", () => {
  const lab = new PageLab(), { at } = lab, COLD = 20, DONTNEED = 99;
  const iov = lab.words(64, IN, at, PAGE_SIZE), fd = Number(lab.call(sysPidfdOpen, 1, 0));
  lab.all(sysProcessMadvise, [
    [[99, BAD, 1, COLD, 1], "EINVAL"],
    [[99, BAD, 1, DONTNEED, 0], "EFAULT"],
    [[99, iov, 1, DONTNEED, 0], "EBADF"],
    [[fd, iov, 1, DONTNEED, 0], "EINVAL"],
    [[fd, iov, 1025, COLD, 0], "EINVAL"],
    [[fd, lab.words(64, 64, at + 1, PAGE_SIZE), 1, COLD, 0], "EINVAL"],
    [[fd, lab.words(64, 128, at, PAGE_SIZE, UNMAPPED, PAGE_SIZE), 2, COLD, 0], PAGE_SIZE],
    [[fd, iov, 0, COLD, 0], 0],
    [[fd, iov, 1, COLD, 0], PAGE_SIZE],
  ]);
  lab.all(sysProcessMrelease, [[[99, 1], "EINVAL"], [[99, 0], "EBADF"], [[fd, 0], "EINVAL"]]);
});

Deno.test("cachestat: the descriptor, the range, flags, the result", () => {
  const lab = new PageLab(), out = lab.memory + OUT, range = lab.words(64, IN, 0, 0);
  const fd = Number(lab.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o600));
  lab.call(sysWrite, fd, lab.at, 2 * PAGE_SIZE + 1);
  lab.all(sysCachestat, [
    [[99, BAD, BAD, 1], "EBADF"],
    [[fd, BAD, out, 1], "EFAULT"],
    [[fd, range, out, 1], "EINVAL"],
    [[fd, range, BAD, 0], "EFAULT"],
    [[fd, range, out, 0], 0],
  ]);
  assertEquals(lab.readWords(64, OUT, 1), [3]);
  for (const [from, len, pages] of [[PAGE_SIZE, 1, 1], [9 * PAGE_SIZE, 0, 0]] as const) {
    assertEquals(lab.call(sysCachestat, fd, lab.words(64, IN, from, len), out, 0), 0);
    assertEquals(lab.readWords(64, OUT, 1), [pages]);
  }
});

Deno.test("madvise, msync and mincore: alignment, advice, lengths, holes", () => {
  const lab = new PageLab(), { at, hole } = lab, out = lab.memory + OUT;
  lab.all(advise.sysMadvise, [
    [[at + 1, PAGE_SIZE, 0], "EINVAL"],
    [[at, PAGE_SIZE, 99], "EINVAL"],
    [[at, 0, 99], "EINVAL"],
    [[at, 0, 0], 0],
    [[at, MINUS_PAGE, 0], "EINVAL"],
    [[at, MINUS, 0], "EINVAL"],
    [[UNMAPPED, PAGE_SIZE, 0], "ENOMEM"],
    [[hole, 3 * PAGE_SIZE, 0], "ENOMEM"],
    [[at, PAGE_SIZE, 4], 0],
  ]);
  assertEquals(lab.task.mm.load8(at), 0, "MADV_DONTNEED");
  lab.all(advise.sysMsync, [
    [[at + 1, PAGE_SIZE, 4], "EINVAL"],
    [[at, PAGE_SIZE, 8], "EINVAL"],
    [[at, PAGE_SIZE, 5], "EINVAL"],
    [[hole, 3 * PAGE_SIZE, 4], "ENOMEM"],
    [[UNMAPPED, PAGE_SIZE, 1], "ENOMEM"],
    [[at, 0, 4], 0],
    [[at, PAGE_SIZE, 4], 0],
  ]);
  lab.all(advise.sysMincore, [
    [[at + 1, PAGE_SIZE, out], "EINVAL"],
    [[2 ** 63, PAGE_SIZE, out], "ENOMEM"],
    [[hole, 3 * PAGE_SIZE, out], "ENOMEM"],
    [[at, PAGE_SIZE, BAD], "EFAULT"],
    [[at, 0, BAD], 0],
    [[at, 1, out], 0],
  ]);
});

Deno.test("mlock, mlockall and mseal: flags, ranges, calls that a seal forbids", () => {
  const lab = new PageLab(), { at, hole } = lab;
  lab.all(advise.sysMlock2, [[[at, PAGE_SIZE, 2], "EINVAL"], [[at, PAGE_SIZE, 1], 0]]);
  lab.all(advise.sysMlock, [
    [[UNMAPPED, PAGE_SIZE], "ENOMEM"],
    [[hole, 3 * PAGE_SIZE], "ENOMEM"],
    [[at, 0], 0],
    [[at + 1, 1], 0],
  ]);
  lab.all(advise.sysMunlock, [[[UNMAPPED, PAGE_SIZE], "ENOMEM"], [[at, PAGE_SIZE], 0]]);
  lab.all(advise.sysMlockall, [[[0], "EINVAL"], [[4], "EINVAL"], [[8], "EINVAL"], [[2], 0]]);
  lab.all(advise.sysMunlockall, [[[], 0]]);
  lab.all(advise.sysMseal, [
    [[at, PAGE_SIZE, 1], "EINVAL"],
    [[at + 1, PAGE_SIZE, 0], "EINVAL"],
    [[at, MINUS, 0], "EINVAL"],
    [[hole, 3 * PAGE_SIZE, 0], "ENOMEM"],
    [[UNMAPPED, PAGE_SIZE, 0], "ENOMEM"],
    [[at, 0, 0], 0],
    [[at, PAGE_SIZE, 0], 0],
  ]);
  lab.all(map.sysMprotect, [[[at, PAGE_SIZE, 1], "EPERM"], [[at + PAGE_SIZE, PAGE_SIZE, 1], 0]]);
  lab.all(map.sysMunmap, [[[at, 2 * PAGE_SIZE], "EPERM"]]);
  assertEquals(lab.task.mm.load8(at + PAGE_SIZE), 0, "nothing was unmapped");
});

Deno.test("mprotect, munmap and mremap: alignment, lengths, mappings", () => {
  const lab = new PageLab(), { at, hole } = lab, FIXED = 3;
  lab.all(map.sysMprotect, [
    [[at + 1, PAGE_SIZE, 1], "EINVAL"],
    [[at + 1, 0, 1], "EINVAL"],
    [[at, 0, 1], 0],
    [[at, PAGE_SIZE, 0x100], "EINVAL"],
    [[UNMAPPED, PAGE_SIZE, 1], "ENOMEM"],
    [[hole, 3 * PAGE_SIZE, 1], "ENOMEM"],
    [[at, MINUS_PAGE, 1], "ENOMEM"],
  ]);
  lab.all(map.sysMunmap, [
    [[at + 1, PAGE_SIZE], "EINVAL"],
    [[at, 0], "EINVAL"],
    [[at, 2 ** 63], "EINVAL"],
    [[2 ** 62, PAGE_SIZE], "EINVAL"],
    [[UNMAPPED, PAGE_SIZE], 0],
  ]);
  lab.all(map.sysMremap, [
    [[at + 1, PAGE_SIZE, PAGE_SIZE, 0, 0], "EINVAL"],
    [[at, PAGE_SIZE, 0, 0, 0], "EINVAL"],
    [[at, PAGE_SIZE, PAGE_SIZE, 8, 0], "EINVAL"],
    [[at, PAGE_SIZE, PAGE_SIZE, 2, at + 2 * PAGE_SIZE], "EINVAL"],
    [[UNMAPPED, PAGE_SIZE, 2 * PAGE_SIZE, 1, 0], "EFAULT"],
    [[at, PAGE_SIZE, 2 * PAGE_SIZE, 0, 0], "ENOMEM"],
    [[at, PAGE_SIZE, PAGE_SIZE, FIXED, at + 1], "EINVAL"],
    [[at, 2 * PAGE_SIZE, 2 * PAGE_SIZE, FIXED, at + PAGE_SIZE], "EINVAL"],
    [[hole, 3 * PAGE_SIZE, 4 * PAGE_SIZE, 1, 0], "EFAULT"],
    [[at, 4 * PAGE_SIZE, PAGE_SIZE, 0, 0], at],
  ]);
  assertEquals(lab.task.mm.load8(at + PAGE_SIZE) < 0, true, "the rest is gone");
});
