/**
 * Numbers of cgroup v1, in which config.json speaks, as cgroup v2 wants them. Pure functions; the formulas are those of
 * runc and crun, so that a container has the same share of the machine under each of them.
 */

import { UserError } from "../../user_error.ts";

/**
 * `cpu.weight` (1 to 10000, usually 100) for `cpu.shares` (2 to 262144, usually 1024): a curve through both ends and
 * both defaults. 0 is "not set" on both sides.
 */
export function cpuWeight(shares: number): number {
  if (shares === 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** `io.weight` (1 to 10000) for `blkio.weight` (10 to 1000). */
export function ioWeight(weight: number): number {
  return weight === 0 ? 0 : 1 + Math.floor((weight - 10) * 9999 / 990);
}

/**
 * Bytes of swap alone for v1's sum of memory and swap. -1 is no limit, 0 is "not set".
 *
 * @throws UserError if the sum makes no sense
 */
export function swapLimit(memorySwap: number, memory: number): number {
  if (memory === -1 && memorySwap === 0) return -1;
  if (memorySwap === -1 || memorySwap === 0) return memorySwap;
  if (memory <= 0) {
    throw new UserError("linux.resources.memory.swap needs a memory.limit beside it");
  }
  if (memorySwap < memory) {
    throw new UserError(
      `linux.resources.memory.swap is ${memorySwap}, less than memory.limit (${memory}): it is the sum of both`,
    );
  }
  return memorySwap - memory;
}

/** A limit as v2 writes it; "" for "not set". */
export function limitText(value: number): string {
  if (value === -1) return "max";
  return value === 0 ? "" : BigInt(value).toString();
}
