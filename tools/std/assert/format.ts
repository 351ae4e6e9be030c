/**
 * Text of values for messages, and a line diff of two such texts. Not a general printer: it is
 * `Deno.inspect` with fixed options. Neighbours: `compare.ts`, `basic.ts`.
 */

/** A value as one stable text: keys sorted, nothing cut short. */
export function show(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    strAbbreviateSize: Infinity,
    getters: true,
  });
}

/** LIMIT: texts of more lines than this are shown whole, one after the other. */
const MAX_DIFF_LINES = 2000;

/**
 * Both texts as one list of lines: `-` only in `actual`, `+` only in `expected`, two blanks in
 * both. The longest common subsequence decides which lines are common.
 */
export function diffLines(actual: string, expected: string): string {
  const a = actual.split("\n");
  const b = expected.split("\n");
  if (a.length > MAX_DIFF_LINES || b.length > MAX_DIFF_LINES) {
    return [...a.map((l) => `-   ${l}`), ...b.map((l) => `+   ${l}`)].join("\n");
  }
  const width = b.length + 1;
  const best = new Uint16Array((a.length + 1) * width);
  const at = (i: number, j: number): number => best[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * width + j] = a[i] === b[j]
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const out: string[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push(`    ${a[i++]}`);
      j++;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      out.push(`-   ${a[i++]}`);
    } else {
      out.push(`+   ${b[j++]}`);
    }
  }
  return out.join("\n");
}
