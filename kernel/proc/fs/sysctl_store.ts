/**
 * The values of stored settings of /proc/sys: numbers with bounds, and texts (sysctl(8)). Settings
 * with a meaning elsewhere in the kernel (host name, protections of links): sysctl_dirs.ts.
 *
 * DIFFERS: a setting is kept and shown; only those read with `number` have an effect. Settings that
 * show a limit of this kernel take no other value (EINVAL).
 */

import { EINVAL } from "../../../ffi/abi/errno.ts";
import { parseNumber } from "../../fs/generated/format.ts";
import { SETTINGS } from "./sysctl_table.ts";

/** A setting and its bounds. */
export interface Setting {
  /** The path below /proc/sys. */
  readonly path: string;
  readonly permissions: number;
  /** Numbers, separated by tabs; or a text. */
  readonly value: string;
  /** The bounds of the numbers; null: a text. */
  readonly bounds: readonly [number, number] | null;
  /** It belongs to the first network namespace: others hide it, or show it and cannot write it. */
  readonly isOfFirst?: "hidden" | "shown";
  /** A text of numbers and ranges up to this number: "1,5-7". */
  readonly ranges?: number;
  /** A text of some of these words. */
  readonly words?: readonly string[];
}

/** The values of the settings of one sandbox or network namespace. */
export class SysctlStore {
  private readonly values: Map<string, string> = new Map();

  /** Paths and modes of all settings. */
  get settings(): readonly Setting[] {
    return SETTINGS;
  }

  /** Replaces defaults of the table, by path. */
  adopt(values: ReadonlyMap<string, string>): void {
    for (const [path, value] of values) {
      if (find(path) !== null) this.values.set(path, value);
    }
  }

  /** The value without its newline; "" for an unknown path. */
  get(path: string): string {
    return this.values.get(path) ?? find(path)?.value ?? "";
  }

  /** The first number of a setting. */
  number(path: string): number {
    return parseNumber(this.get(path).split("\t")[0] ?? "") ?? 0;
  }

  /** A value that is made once and kept (the boot id); "" before. */
  remembered(path: string): string {
    return this.values.get(path) ?? "";
  }
  remember(path: string, value: string): string {
    this.values.set(path, value);
    return value;
  }

  /** Writes a setting: 0 or -EINVAL. Of several numbers only the first ones may be given. */
  set(path: string, text: string): number {
    const setting = find(path);
    if (setting === null) return -EINVAL;
    const { bounds } = setting;
    if (setting.words !== undefined) return this.setWords(setting, setting.words, text);
    if (setting.ranges !== undefined) return this.setRanges(path, setting.ranges, text);
    if (bounds === null) {
      this.values.set(path, firstLine(text));
      return 0;
    }
    const old = this.get(path).split("\t"), numbers = numbersOf(text, old.length);
    if (numbers === null) return -EINVAL;
    for (const [i, n] of numbers.entries()) {
      if (n < bounds[0] || n > bounds[1]) return -EINVAL;
      old[i] = String(n);
    }
    this.values.set(path, old.join("\t"));
    return 0;
  }

  /** Stores ranges in order, joined where they meet. */
  private setRanges(path: string, max: number, text: string): number {
    const ranges: [number, number][] = [];
    for (const part of firstLine(text).trim().split(",")) {
      if (part === "") continue;
      const [, low, high = low] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part) ?? [];
      const first = Number(low ?? NaN), last = Number(high);
      if (!(first <= last && last <= max)) return -EINVAL;
      ranges.push([first, last]);
    }
    const joined: [number, number][] = [];
    for (const range of ranges.sort(([a], [b]) => a - b)) {
      const before = joined.at(-1);
      if (before !== undefined && range[0] <= before[1] + 1) {
        before[1] = Math.max(before[1], range[1]);
      } else joined.push(range);
    }
    this.values.set(path, joined.map(([a, b]) => a === b ? `${a}` : `${a}-${b}`).join(","));
    return 0;
  }

  private setWords(setting: Setting, words: readonly string[], text: string): number {
    const given = firstLine(text).split(" ").filter((w) => w !== "");
    if (!given.every((w) => words.includes(w))) return -EINVAL;
    this.values.set(setting.path, words.filter((w) => given.includes(w)).join(" "));
    return 0;
  }
}

const BY_PATH: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((s) => [s.path, s]));

function find(path: string): Setting | null {
  return BY_PATH.get(path) ?? null;
}

/**
 * The first numbers of a text, at most `count`; the text behind them is ignored. Null: no number,
 * or other text.
 */
export function numbersOf(text: string, count: number): number[] | null {
  const words = text.replaceAll("\0", "").trim().split(/[ \t\n]+/).slice(0, count);
  const numbers: number[] = [];
  for (const word of words) {
    const n = parseNumber(word);
    if (n === null) return null;
    numbers.push(n);
  }
  return numbers;
}

/** The part of a write that proc_dostring of Linux takes. */
export function firstLine(text: string): string {
  return text.split(/[\0\n]/)[0] ?? "";
}
