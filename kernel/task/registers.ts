/** Access to registers of a stopped context as numbers (platform.ts has the offsets). */

/** A register as an unsigned number; values of 2^53 and more lose low bits. */
export function getReg(regs: DataView, at: number): number {
  return regs.getUint32(at, true) + regs.getUint32(at + 4, true) * 0x100000000;
}

/** Stores a number in (-2^53, 2^64) as 64 bits. */
export function setReg(regs: DataView, at: number, value: number): void {
  regs.setUint32(at, value % 0x100000000, true);
  regs.setInt32(at + 4, Math.floor(value / 0x100000000), true);
}

/** Copies all registers, in 8-byte words. */
export function copyRegs(to: DataView, from: DataView): void {
  for (let i = 0; i < from.byteLength; i += 4) to.setUint32(i, from.getUint32(i, true), true);
}
