/** Registers on their way between a slot, a signal frame and `Context.regs`. Neighbour: `context.ts`. */

import { SLOT_REGS } from "../stub/layout.ts";

/** Places, in bytes, of those of `SLOT_REGS` in a frame and in `Context.regs`. */
export const IN_ORDER: readonly number[] = SLOT_REGS.map((_at, i) => 8 * i);

/** 8-byte words from places behind `fromAt` to places behind `toAt`, bytes, in the same order. */
export function moveWords(
  from: Int32Array,
  fromAt: number,
  fromPlaces: readonly number[],
  to: Int32Array,
  toAt: number,
  toPlaces: readonly number[],
): void {
  for (let i = 0; i < fromPlaces.length; i++) {
    const source = (fromAt + fromPlaces[i]!) >> 2, target = (toAt + toPlaces[i]!) >> 2;
    to[target] = from[source]!;
    to[target + 1] = from[source + 1]!;
  }
}
