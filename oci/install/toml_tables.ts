/**
 * Finds the tables of a TOML file in its lines, so that a table can be added or removed while
 * everything else stays, comments included. It parses strings, arrays over several lines and
 * comments, and does not interpret values.
 */

/** A table header's line, counted from 0, and its key taken apart. */
interface Header {
  readonly line: number;
  readonly key: readonly string[];
  /** `[[x]]`: one of several. */
  readonly isElement: boolean;
}

interface TomlLines {
  /** Without the newlines. */
  readonly lines: readonly string[];
  readonly headers: readonly Header[];
  /** `key = value` lines in front of the first header. */
  readonly top: ReadonlyMap<string, string>;
}

/** Where a value that began on an earlier line still is. */
interface State {
  /** The quotation marks that end the string it is in; "" for none. */
  quote: string;
  depth: number;
}

export function scanToml(text: string): TomlLines {
  const lines = text.replace(/\n$/, "").split("\n"), headers: Header[] = [];
  const top = new Map<string, string>(), state: State = { quote: "", depth: 0 };
  lines.forEach((line, at) => {
    const isFresh = state.quote === "" && state.depth === 0;
    const header = isFresh ? /^\s*(\[\[?)(.*)$/.exec(line) : null;
    if (header !== null) {
      const key = parseKey(header[2] ?? "");
      if (key !== null) headers.push({ line: at, key, isElement: header[1] === "[[" });
      return;
    }
    const pair = isFresh && headers.length === 0
      ? /^\s*([\w-]+)\s*=\s*([^#]*?)\s*(?:#.*)?$/.exec(line)
      : null;
    if (pair !== null) top.set(pair[1] ?? "", pair[2] ?? "");
    scanValue(line, state);
  });
  return { lines, headers, top };
}

/** The parts of `a."b.c".d]`; null if it is no key. */
export function parseKey(text: string): string[] | null {
  const parts: string[] = [];
  let rest = text.trimStart();
  for (;;) {
    const match = /^(?:([\w-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*/.exec(rest);
    if (match === null) return null;
    parts.push(match[1] ?? match[2]?.replace(/\\(.)/g, "$1") ?? match[3] ?? "");
    rest = rest.slice(match[0].length);
    if (rest.startsWith("]")) return parts;
    if (!rest.startsWith(".")) return null;
    rest = rest.slice(1).trimStart();
  }
}

/** Follows strings and brackets through a line. */
function scanValue(line: string, state: State): void {
  for (let at = 0; at < line.length;) {
    if (state.quote !== "") {
      if (line[at] === "\\" && state.quote[0] === '"') at += 2;
      else if (line.startsWith(state.quote, at)) {
        at += state.quote.length;
        state.quote = "";
      } else at++;
      continue;
    }
    const c = line[at] ?? "";
    if (c === "#") return;
    const long = c.repeat(3);
    if (c === '"' || c === "'") {
      state.quote = line.startsWith(long, at) ? long : c;
      at += state.quote.length;
      continue;
    }
    if (c === "[" || c === "{") state.depth++;
    if (c === "]" || c === "}") state.depth = Math.max(0, state.depth - 1);
    at++;
  }
  // Only long strings go on behind the end of a line.
  if (state.quote.length === 1) state.quote = "";
}

function startsWith(key: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((part, i) => key[i] === part);
}

/** Whether there is a table of this key, or beneath it. */
export function hasTable(text: string, key: readonly string[]): boolean {
  return scanToml(text).headers.some((header) => startsWith(header.key, key));
}

/**
 * Lines of a table and its subtables, up to the next other table, without the comments right above
 * that one.
 */
function extentOf({ lines, headers }: TomlLines, key: readonly string[]): [number, number] | null {
  const first = headers.findIndex((header) => startsWith(header.key, key));
  const start = headers[first]?.line;
  if (start === undefined) return null;
  const next = headers.slice(first).find((header) => !startsWith(header.key, key));
  let end = next?.line ?? lines.length;
  while (end > start + 1 && /^\s*(#.*)?$/.test(lines[end - 1] ?? "")) end--;
  return [start, end];
}

/** Removes a table and its subtables, wherever they are in the file. */
export function removeTable(text: string, key: readonly string[]): string {
  let rest = text;
  for (;;) {
    const toml = scanToml(rest), extent = extentOf(toml, key);
    if (extent === null) return rest;
    const [start, end] = extent;
    const before = toml.lines.slice(0, start), after = toml.lines.slice(end);
    // One of the blank lines around it goes too.
    if (before.at(-1)?.trim() === "" && (after.length === 0 || after[0]?.trim() === "")) {
      before.pop();
    }
    const lines = [...before, ...after];
    rest = lines.length === 0 ? "" : `${lines.join("\n")}\n`;
  }
}

/** Puts a table in the place of the one with its key, else at the end. */
export function putTable(text: string, key: readonly string[], table: string): string {
  const toml = scanToml(text), extent = extentOf(toml, key);
  if (extent === null) {
    const gap = text.trim() === ""
      ? ""
      : text.endsWith("\n\n")
      ? ""
      : text.endsWith("\n")
      ? "\n"
      : "\n\n";
    return `${text}${gap}${table}\n`;
  }
  const [start, end] = extent;
  const marker = [...toml.lines.slice(0, start), table];
  const after = removeTable(`${toml.lines.slice(end).join("\n")}\n`, key);
  return `${marker.join("\n")}\n${after.trim() === "" ? "" : after}`;
}
