/** The names of a path that can be walked in one request. */

const SLASH = 47;

/**
 * The components of `path` from `from` on, up to `max` of them and up to the first ".."; "." is
 * left out.
 */
export function splitNames(path: string, from: number, max: number): string[] {
  const names: string[] = [];
  let at = from;
  while (at < path.length && names.length < max) {
    if (path.charCodeAt(at) === SLASH) {
      at++;
      continue;
    }
    let end = path.indexOf("/", at);
    if (end < 0) end = path.length;
    const name = path.substring(at, end);
    if (name === ".." || name.length > 255) break;
    if (name !== ".") names.push(name);
    at = end;
  }
  return names;
}
