/**
 * FPU and vector state: calls keep it, and the kernel reads and writes it. The guest saves and
 * loads by XSAVE and XRSTOR all state that the processor has, so AVX and AVX-512 are covered where
 * they exist.
 */

import { assert, assertEquals } from "@std/assert";
import type { Define } from "../conformance.ts";
import { TRAP_EXCEPTION, TRAP_FULL } from "../platform.ts";
import { AFTER, BEFORE, byteAt, FpuGuest, MXCSR, ST, XMM, XMM_END } from "./fpu_guest.ts";

export function testFpu(define: Define): void {
  define("FPU state is kept across a call", (lab) => {
    const guest = new FpuGuest(lab);
    guest.callWithData(1);
    guest.context.resumeRet(0);
    lab.expect(guest.context, TRAP_EXCEPTION);
    guest.assertSame(guest.read(BEFORE), guest.read(AFTER));
    const after = guest.read(AFTER);
    for (let i = XMM; i < XMM_END; i++) assertEquals(after[i], byteAt(1, i));
  });

  define("FPU state is kept across resumeAll without it", (lab) => {
    const guest = new FpuGuest(lab);
    guest.callWithData(2);
    guest.context.fetchRegs();
    guest.context.resumeAll(false);
    lab.expect(guest.context, TRAP_EXCEPTION);
    guest.assertSame(guest.read(BEFORE), guest.read(AFTER));
  });

  define("fetchFpu gives what the guest would save", (lab) => {
    const guest = new FpuGuest(lab);
    const c = guest.context;
    guest.callWithData(3);
    guest.requestFull();
    c.fetchFpu();
    assertEquals(c.fpu.length, lab.platform.fpuSize);
    guest.assertSame(c.fpu, guest.read(BEFORE));
    c.resumeRet(0);
    lab.expect(c, TRAP_EXCEPTION);
    guest.assertSame(guest.read(BEFORE), guest.read(AFTER));
  });

  define("resumeAll(true) loads other FPU state", (lab) => {
    const guest = new FpuGuest(lab);
    const c = guest.context;
    guest.callWithData(4);
    guest.requestFull();
    c.fetchRegs();
    c.fetchFpu();
    guest.fillData(c.fpu, 5);
    const given = c.fpu.slice();
    c.resumeAll(true);
    lab.expect(c, TRAP_EXCEPTION);
    guest.assertSame(given, guest.read(AFTER));
  });

  define("zeros are the initial FPU state", (lab) => {
    const guest = new FpuGuest(lab);
    const c = guest.context;
    guest.callWithData(6);
    guest.requestFull();
    c.fetchRegs();
    c.fpu.fill(0);
    c.resumeAll(true);
    lab.expect(c, TRAP_EXCEPTION);
    const saved = guest.read(AFTER);
    const dv = new DataView(saved.buffer);
    assertEquals(dv.getUint16(0, true), 0x37f, "x87 control word");
    assertEquals(dv.getUint32(MXCSR, true), 0x1f80, "MXCSR");
    assert(saved.subarray(ST, XMM_END).every((b) => b === 0), "registers are zero");
  });

  define("requestFull reports the same stop again", (lab) => {
    const guest = new FpuGuest(lab);
    const c = guest.context;
    guest.callWithData(7);
    const rip = c.rip;
    c.requestFull();
    lab.expect(c, TRAP_FULL);
    assert(c.isFull);
    assertEquals([c.nr, c.rip], [2, rip]);
    c.resumeRet(0);
    lab.expect(c, TRAP_EXCEPTION);
    guest.assertSame(guest.read(BEFORE), guest.read(AFTER));
  });

  define("hostile FPU state does not break the platform", (lab) => {
    const guest = new FpuGuest(lab);
    const c = guest.context;
    guest.callWithData(8);
    guest.requestFull();
    c.fetchRegs();
    c.fpu.fill(0xff); // reserved bits of MXCSR, of the header and of components
    c.resumeAll(true);
    lab.next(); // any outcome is good
    new FpuGuest(lab).callWithData(9);
  });
}
