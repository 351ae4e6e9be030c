/** Environments as execve(2) has them: entries `NAME=value`, byte strings. */

export function nameOf(entry: string): string {
  return entry.split("=", 1)[0] ?? "";
}

/** The entries of `env`, and those of `more`, which replace entries of the same names. */
export function withVariables(env: readonly string[], more: readonly string[]): string[] {
  const names = new Set(more.map(nameOf));
  return [...env.filter((entry) => !names.has(nameOf(entry))), ...more];
}
