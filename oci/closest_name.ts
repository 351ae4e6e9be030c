/** `did you mean`: the known name that differs least from one that is not known. */

/** The end of an error message: the likely name, or nothing. */
export function suggestion(word: string, known: readonly string[], prefix = ""): string {
  const found = closestName(word, known);
  return found === null ? "" : `; did you mean ${prefix}${found}?`;
}

/** LIMIT: characters of a word that is compared. */
const LONGEST = 40;

function closestName(word: string, known: readonly string[]): string | null {
  if (word.length > LONGEST) return null;
  // One mistake for every three letters.
  let best: string | null = null, least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of known) {
    const mistakes = distance(word, name);
    if (mistakes < least) [best, least] = [name, mistakes];
  }
  return best;
}

/**
 * Letters that are changed, missing, too many, or swapped with their neighbour: the optimal string
 * alignment distance.
 */
function distance(a: string, b: string): number {
  let older: number[] = [], last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = isSwap ? older[j - 2]! + 1 : Infinity;
      row.push(Math.min(change, last[j]! + 1, row[j - 1]! + 1, swap));
    }
    [older, last] = [last, row];
  }
  return last[b.length]!;
}
