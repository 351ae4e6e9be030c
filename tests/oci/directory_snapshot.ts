/** The content of directories of the host, for a later comparison. Not a test. */

/** Every name below a directory, with what it holds. */
export function snapshot(dir: string): string[] {
  const lines: string[] = [];
  for (const entry of Deno.readDirSync(dir)) {
    const path = `${dir}/${entry.name}`, { mode, mtime } = Deno.lstatSync(path);
    lines.push(`${path} ${mode} ${mtime?.getTime()}`);
    if (entry.isDirectory) lines.push(...snapshot(path));
  }
  return lines.sort();
}

export function namesOf(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
}
