/** Amounts on the command line: sizes, processors, numbers of processes. */

import { usageError } from "../user_error.ts";

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/**
 * Bytes; null if the option is not given.
 * @throws UserError naming the option
 */
export function sizeOf(name: string, text: string | null, least: number): number | null {
  if (text === null) return null;
  const [, digits, unit = ""] = /^(\d{1,15})([KMG]?)i?B?$/i.exec(text) ?? [];
  const bytes = Number(digits) * (UNITS[unit.toUpperCase()] ?? NaN);
  if (bytes >= least) return bytes;
  throw usageError(`--${name} ${text} is no size of at least ${shownSize(least)}, like 64M or 2G`);
}

/** LIMIT: the least share of a processor, with which the kernel keeps a limit. */
const CPUS_MIN = 0.01;

/** Processors, fractions too; null if the option is not given. */
export function cpusOf(text: string | null): number | null {
  if (text === null) return null;
  const cpus = /^\d{1,4}(\.\d{1,6})?$|^\.\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (cpus >= CPUS_MIN) return cpus;
  throw usageError(`--cpus ${text} is no number of processors of at least 0.01, like 0.5 or 2`);
}

/** Processes and threads; null for any number. */
export function pidsOf(text: string): number | null {
  if (text === "max") return null;
  const pids = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (pids >= 1) return pids;
  throw usageError(`--pids ${text} is neither a number of processes of at least 1 nor max`);
}

/** Bytes as people write them, large ones in whole MiB: "64M". */
export function wholeMiB(bytes: number): string {
  return shownSize(bytes < 2 ** 24 ? Math.floor(bytes) : Math.floor(bytes / 2 ** 20) * 2 ** 20);
}

/** Bytes as people write them: "64M". */
function shownSize(bytes: number): string {
  for (const [unit, size] of Object.entries(UNITS).reverse()) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
