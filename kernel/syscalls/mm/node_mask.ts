/** Sets of memory nodes in arguments of system calls (mm/mempolicy.c): bits in words of 64. */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import type { UserMemory } from "../../mm/user_memory.ts";

/** CONFIG_NODES_SHIFT=10, as in distributions' kernels for x86-64. */
const MAX_NODES = 1024;
const WORD_BITS = 64, MAX_BITS = PAGE_SIZE * 8;

const words = new Uint8Array(PAGE_SIZE);
const view = new DataView(words.buffer);

/**
 * Reads the set at `addr`, of which `maxNode - 1` bits count, or -errno. Bits of impossible nodes
 * are -EINVAL.
 */
export function nodesIn(user: UserMemory, addr: number, maxNode: number): bigint | number {
  if (maxNode === 1 || addr === 0) return 0n;
  const bits = maxNode - 1;
  if (bits < 0 || bits > MAX_BITS) return -EINVAL;
  const count = Math.ceil(bits / WORD_BITS);
  if (user.copyIn(words, 0, addr, count * 8) < 0) return -EFAULT;
  let nodes = 0n;
  for (let i = count - 1; i >= 0; i--) nodes = nodes << 64n | view.getBigUint64(i * 8, true);
  nodes = BigInt.asUintN(bits, nodes);
  return nodes >> BigInt(MAX_NODES) === 0n ? nodes : -EINVAL;
}

/**
 * Writes a set to a mask of `maxNode - 1` bits at `addr`: 0 or -errno. One word holds all nodes.
 */
export function nodesOut(user: UserMemory, addr: number, maxNode: number, nodes: bigint): number {
  const bytes = Math.ceil(Math.max(0, maxNode - 1) / WORD_BITS) * 8;
  if (bytes > PAGE_SIZE) return -EINVAL;
  if (bytes === 0) return 0;
  words.fill(0, 0, bytes);
  view.setBigUint64(0, BigInt.asUintN(64, nodes), true);
  return user.copyOut(addr, words, 0, bytes) < 0 ? -EFAULT : 0;
}
