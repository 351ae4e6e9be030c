/** Pieces of the formats of /proc and /sys: numbers, masks, lists of CPUs, escaped text. */

/** A time in clock ticks (USER_HZ), as in stat. */
export function ticks(ns: number): number {
  return Math.floor(Math.max(0, ns) / 10_000_000);
}

/** An unsigned 64-bit word as 16 hex digits. */
export function hex64(lo: number, hi: number): string {
  return hex32(hi) + hex32(lo);
}

function hex32(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

/** "    123": a number, padded to this many columns. */
export function right(value: number | string, columns: number): string {
  return String(value).padStart(columns);
}

/** "MemTotal:       24684092 kB": a line of /proc/meminfo. */
export function kibLine(name: string, bytes: number): string {
  return `${(name + ":").padEnd(16)}${right(Math.floor(bytes / 1024), 8)} kB\n`;
}

/** A mask of `cpus` bits as %*pb prints it: groups of 32 bits, separated by commas. */
export function cpuMask(words: Uint32Array | null, cpus: number): string {
  const groups = Math.ceil(cpus / 32), parts: string[] = [];
  for (let g = groups - 1; g >= 0; g--) {
    const bits = Math.min(32, cpus - g * 32);
    const all = bits === 32 ? 0xffffffff : 2 ** bits - 1;
    const word = words === null ? all : ((words[g] ?? 0) & all) >>> 0;
    const digits = g === groups - 1 ? Math.ceil(bits / 4) : 8;
    parts.push(word.toString(16).padStart(digits, "0"));
  }
  return parts.join(",");
}

/** The set of CPUs as a list: "0-3,8". */
export function cpuList(words: Uint32Array | null, cpus: number): string {
  const parts: string[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    if (!hasCpu(words, cpu)) continue;
    const first = cpu;
    while (cpu + 1 < cpus && hasCpu(words, cpu + 1)) cpu++;
    parts.push(first === cpu ? `${first}` : `${first}-${cpu}`);
  }
  return parts.join(",");
}

function hasCpu(words: Uint32Array | null, cpu: number): boolean {
  return words === null || ((words[cpu >> 5] ?? 0) >>> (cpu & 31) & 1) === 1;
}

/** A text with newlines and backslashes escaped, as seq_path and status do. */
export function escapeNewlines(text: string): string {
  return text.replaceAll("\n", "\\012");
}

/** A whole decimal number with a sign and blanks around it, or null: a number written to /proc. */
export function parseNumber(text: string): number | null {
  const found = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|\d+)[ \t\n\v\f\r\0]*$/.exec(text);
  if (found === null) return null;
  const digits = found[2]!;
  const isOctal = digits.length > 1 && digits[0] === "0" && /^[0-7]+$/.test(digits);
  const value = isOctal ? parseInt(digits, 8) : Number(digits);
  if (!Number.isFinite(value)) return null;
  return found[1] === "-" ? -value : value;
}
