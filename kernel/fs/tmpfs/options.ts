/** Parses the mount options of tmpfs(5), the comma-separated text of mount(2). */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EINVAL } from "../../../ffi/abi/errno.ts";

/** The options that were given; a size or number of 0 means "no limit". */
export interface TmpfsOptions {
  pages?: number;
  inodes?: number;
  mode?: number;
  uid?: number;
  gid?: number;
}

const SUFFIXES = "kmgtpe";

/**
 * Parses a number as Linux's memparse does: decimal, octal or hex, with a suffix k m g t p e. -1
 * for anything else.
 */
function parseSize(text: string): number {
  const match = /^(0[xX][0-9a-fA-F]+|\d+)([kKmMgGtTpPeE]?)$/.exec(text);
  if (match === null) return -1;
  const digits = match[1]!, suffix = match[2]!.toLowerCase();
  const isOctal = /^0[0-7]+$/.test(digits);
  const value = isOctal ? parseInt(digits, 8) : Number(digits);
  return suffix === "" ? value : value * 1024 ** (SUFFIXES.indexOf(suffix) + 1);
}

function parseInteger(text: string, base: number): number {
  const isValid = base === 8 ? /^[0-7]{1,6}$/.test(text) : /^\d{1,10}$/.test(text);
  return isValid ? parseInt(text, base) : -1;
}

/** Parses the options; -EINVAL for an unknown option or a bad value. */
export function parseTmpfsOptions(text: string, memoryBytes: number): TmpfsOptions | number {
  const options: TmpfsOptions = {};
  for (const part of text.split(",")) {
    if (part === "") continue;
    const eq = part.indexOf("=");
    const key = eq < 0 ? part : part.slice(0, eq), value = eq < 0 ? "" : part.slice(eq + 1);
    const r = setOption(options, key, value, memoryBytes);
    if (r < 0) return r;
  }
  return options;
}

function setOption(
  options: TmpfsOptions,
  key: string,
  value: string,
  memoryBytes: number,
): number {
  switch (key) {
    case "size": {
      const percent = /^(\d+)%$/.exec(value);
      const bytes = percent === null
        ? parseSize(value)
        : Math.floor(memoryBytes * Number(percent[1]) / 100);
      if (bytes < 0) return -EINVAL;
      options.pages = Math.ceil(bytes / PAGE_SIZE);
      return 0;
    }
    case "nr_blocks":
      options.pages = parseSize(value);
      return options.pages < 0 ? -EINVAL : 0;
    case "nr_inodes":
      options.inodes = parseSize(value);
      return options.inodes < 0 ? -EINVAL : 0;
    case "mode":
      options.mode = parseInteger(value, 8) & 0o7777;
      return parseInteger(value, 8) < 0 ? -EINVAL : 0;
    case "uid":
      options.uid = parseInteger(value, 10);
      return options.uid < 0 || options.uid > 0xfffffffe ? -EINVAL : 0;
    case "gid":
      options.gid = parseInteger(value, 10);
      return options.gid < 0 || options.gid > 0xfffffffe ? -EINVAL : 0;
    // Without effect: there are no huge pages, no swap and no NUMA nodes.
    case "huge":
    case "mpol":
    case "inode64":
    case "inode32":
    case "noswap":
      return 0;
    default:
      return -EINVAL;
  }
}
