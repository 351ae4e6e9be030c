/** Passes the arguments of the system call that a request stands for. */

import type { Worker } from "./worker.ts";

/** Stores arguments where handlers read them. */
export function setArguments(worker: Worker, values: readonly number[]): void {
  const { words } = worker.args;
  for (let i = 0; i < 6; i++) {
    const value = values[i] ?? 0;
    words[2 * i] = value % 0x100000000;
    words[2 * i + 1] = Math.floor(value / 0x100000000);
  }
}
