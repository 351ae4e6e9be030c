/**
 * Converts numbers of cgroup v1, which config.json has, to those of cgroup v2. Pure functions. The
 * formulas are those of runc 1.3.2 and crun 1.23, so that a container has the same share of the
 * machine under each runtime.
 */

import { UserError } from "../../user_error.ts";

/**
 * `cpu.weight` (1 to 10000, default 100) for `cpu.shares` (2 to 262144, default 1024). The curve
 * maps both ends and the default of one to those of the other; older runtimes converted by a
 * straight line, which made the default 39. 0 means "not set" in both.
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
