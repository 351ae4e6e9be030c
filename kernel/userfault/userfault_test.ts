import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EBUSY, EEXIST, EINVAL, ENOENT } from "../../ffi/abi/errno.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { ACCESS_READ, ACCESS_WRITE } from "../../platform/platform.ts";
import { Waiter } from "../core/wait.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { MemoryLab } from "../testing/memory_lab.ts";
import { FAULT_AWAITED } from "../mm/fault.ts";
import { MemoryManager } from "../mm/memory_manager.ts";
import { Userfault } from "./userfault.ts";
import {
  handledArea,
  placePage,
  registerAreas,
  releaseHandler,
  unregisterAreas,
  watchPages,
} from "./userfault_pages.ts";
import { VM_UFFD_MISSING, VM_UFFD_WP } from "../mm/vma.ts";

const RW = PROT_READ | PROT_WRITE, ANON = M.MAP_PRIVATE | M.MAP_ANONYMOUS;
const bytes = new Uint8Array(PAGE_SIZE).fill(7);

class Sleeper extends Waiter {
  wakeUps: number = 0;
  override onWake(): void {
    this.wakeUps++;
    this.unlink();
  }
}

function area(pages: number, bits: number) {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const at = mm.mmap(0, pages * PAGE_SIZE, RW, ANON, null, 0), handler = new Userfault(mm, 0);
  return {
    lab,
    mm,
    guest,
    at,
    handler,
    register: () => registerAreas(handler, at, at + pages * PAGE_SIZE, bits),
  };
}

Deno.test("touched pages stay, and the handler supplies each of the others once", () => {
  const { lab, mm, guest, at, handler, register } = area(8, VM_UFFD_MISSING);
  guest.write(at + PAGE_SIZE, 1);
  assertEquals(register(), 0);
  assertEquals(guest.read(at + PAGE_SIZE), 1);
  assertEquals(mm.handleFault(at + 5 * PAGE_SIZE, ACCESS_READ), FAULT_AWAITED);
  const fault = handler.add(lab.ctx.awaited, 9), sleeper = new Sleeper();
  assertEquals(handler.hasPending, false);
  fault.queue.add(sleeper, 0);
  assertEquals(handler.counts, { pending: 1, total: 1 });
  assertEquals(handler.take(), fault);
  assertEquals(handler.take(), null);
  const vma = handledArea(mm, at, 8 * PAGE_SIZE);
  assert(vma !== null);
  assertEquals(placePage(mm, vma, at / PAGE_SIZE + 5, bytes, false), 0);
  assertEquals(placePage(mm, vma, at / PAGE_SIZE + 5, bytes, false), -EEXIST);
  assertEquals(placePage(mm, vma, at / PAGE_SIZE + 1, bytes, false), -EEXIST);
  handler.wake(at, at + 5 * PAGE_SIZE);
  assertEquals(sleeper.wakeUps, 0);
  handler.wake(at + 5 * PAGE_SIZE, at + 6 * PAGE_SIZE);
  assertEquals(sleeper.wakeUps, 1);
  assertEquals(handler.counts, { pending: 0, total: 0 });
  assertEquals(guest.read(at + 5 * PAGE_SIZE), 7);
  mm.destroy();
  assertEquals(lab.ctx.frames.usedBytes, PAGE_SIZE);
  lab.close();
});

Deno.test("calls meet the same faults, and note whom to ask", () => {
  const { lab, mm, at, handler, register } = area(2, VM_UFFD_MISSING);
  register();
  assertEquals(mm.load8(at), -1);
  assertEquals(lab.ctx.awaited.handler, handler);
  assertEquals(lab.ctx.awaited.page, at / PAGE_SIZE);
  lab.ctx.awaited.handler = null;
  unregisterAreas(mm, at, at + 2 * PAGE_SIZE);
  assertEquals(mm.load8(at), 0);
  assertEquals(lab.ctx.awaited.handler, null);
  lab.close();
});

Deno.test("watched pages report writes until the watch ends; a child has its own", () => {
  const { lab, mm, guest, at, handler, register } = area(4, VM_UFFD_WP);
  for (let i = 0; i < 3; i++) guest.write(at + i * PAGE_SIZE, i + 1);
  register();
  assertEquals(watchPages(mm, at, at + 4 * PAGE_SIZE, true), 0);
  assertEquals(guest.read(at + PAGE_SIZE), 2);
  assertEquals(mm.handleFault(at + PAGE_SIZE, ACCESS_WRITE), FAULT_AWAITED);
  assertEquals(lab.ctx.awaited.flags, 3);
  assertEquals(guest.write(at + 3 * PAGE_SIZE, 4), 0);
  const child = mm.fork(TEST_ACCOUNT);
  assert(child instanceof MemoryManager);
  assertEquals(child.vmas.find(at)?.userfault, null);
  assertEquals(new GuestSimulator(child).write(at + PAGE_SIZE, 50), 0);
  assertEquals(watchPages(mm, at + PAGE_SIZE, at + 2 * PAGE_SIZE, false), 0);
  assertEquals(guest.write(at + PAGE_SIZE, 60), 0);
  assertEquals(child.load8(at + PAGE_SIZE), 50);
  assertEquals(mm.handleFault(at, ACCESS_WRITE), FAULT_AWAITED);
  releaseHandler(handler);
  assertEquals(guest.write(at, 61), 0);
  assertEquals(watchPages(mm, at, at + PAGE_SIZE, true), -ENOENT);
  lab.close();
});

Deno.test("one handler an area; neighbours merge only with the same one", () => {
  const { lab, mm, at, handler, register } = area(4, VM_UFFD_MISSING);
  const other = new Userfault(mm, 0);
  assertEquals(registerAreas(other, at, at + PAGE_SIZE, VM_UFFD_MISSING), 0);
  assertEquals(register(), -EBUSY);
  assertEquals(registerAreas(handler, at + PAGE_SIZE, at + 4 * PAGE_SIZE, VM_UFFD_MISSING), 0);
  assertEquals(mm.vmas.length, 2);
  assertEquals(handledArea(mm, at, 2 * PAGE_SIZE), null);
  assertEquals(unregisterAreas(mm, at, at + 4 * PAGE_SIZE), 0);
  assertEquals(mm.vmas.length, 1);
  assertEquals(unregisterAreas(mm, at + 8 * PAGE_SIZE, at + 9 * PAGE_SIZE), -EINVAL);
  lab.close();
});
