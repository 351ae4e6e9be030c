/**
 * Changes one member of a JSON file and keeps every other character, so that the order and the
 * blanks of the file stay. JSON.parse checks the text first.
 */

/** Where a member stands in its text. */
interface Member {
  readonly name: string;
  /** From the name's quotation mark to behind the value. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** An object's members, and where its braces are. */
interface Found {
  readonly open: number;
  readonly close: number;
  readonly members: readonly Member[];
}

/**
 * Sets `path` to a value; objects on the way are made.
 *
 * @param text of a JSON object; "" or blank: an empty one
 * @throws SyntaxError if it is no JSON, TypeError if something on the way is no object
 */
export function setMember(text: string, path: readonly string[], value: unknown): string {
  const source = text.trim() === "" ? "{}\n" : text;
  requireObject(JSON.parse(source), "the file");
  return set(source, 0, path, value, indentOf(source));
}

/**
 * Removes `path`, and objects on the way that become empty, except the first. Throws as setMember
 * does.
 */
export function removeMember(text: string, path: readonly string[]): string {
  requireObject(JSON.parse(text), "the file");
  const [first = "", ...rest] = path;
  const object = scanObject(text, text.indexOf("{"));
  const member = object.members.find((m) => m.name === first);
  if (member === undefined) return text;
  if (rest.length === 0) return cut(text, object, member);
  requireObject(JSON.parse(text.slice(member.valueStart, member.end)), first);
  const inner = removeMember(text.slice(member.valueStart, member.end), rest);
  if (Object.keys(JSON.parse(inner)).length === 0) return cut(text, object, member);
  return text.slice(0, member.valueStart) + inner + text.slice(member.end);
}

function requireObject(value: unknown, name: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} is no JSON object`);
  }
}

function set(
  text: string,
  depth: number,
  path: readonly string[],
  value: unknown,
  unit: string,
): string {
  const [name = "", ...rest] = path;
  const object = scanObject(text, text.indexOf("{"));
  const member = object.members.find((m) => m.name === name);
  const pad = unit.repeat(depth + 1);
  if (member === undefined) {
    const made = rest.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
    return insert(text, object, `${JSON.stringify(name)}: ${render(made, pad, unit)}`, pad, unit);
  }
  const old = text.slice(member.valueStart, member.end);
  if (rest.length === 0) {
    // The same value keeps its looks.
    if (JSON.stringify(JSON.parse(old)) === JSON.stringify(value)) return text;
    return text.slice(0, member.valueStart) + render(value, pad, unit) + text.slice(member.end);
  }
  requireObject(JSON.parse(old), name);
  const inner = set(old, depth + 1, rest, value, unit);
  return text.slice(0, member.valueStart) + inner + text.slice(member.end);
}

function render(value: unknown, pad: string, unit: string): string {
  return JSON.stringify(value, null, unit === "" ? "  " : unit).replaceAll("\n", `\n${pad}`);
}

/** A new member at the end. */
function insert(text: string, object: Found, member: string, pad: string, unit: string): string {
  const last = object.members.at(-1);
  const outer = pad.slice(unit.length);
  if (last === undefined) {
    return `${text.slice(0, object.open + 1)}\n${pad}${member}\n${outer}${
      text.slice(object.close)
    }`;
  }
  return `${text.slice(0, last.end)},\n${pad}${member}${text.slice(last.end)}`;
}

/** A member with the comma that it no longer needs. */
function cut(text: string, object: Found, member: Member): string {
  const i = object.members.indexOf(member);
  const before = object.members[i - 1], after = object.members[i + 1];
  if (before !== undefined) return text.slice(0, before.end) + text.slice(member.end);
  if (after !== undefined) return text.slice(0, member.start) + text.slice(after.start);
  return text.slice(0, object.open + 1) + text.slice(object.close);
}

/** The indentation of one level: that of the first member. */
function indentOf(text: string): string {
  return /\{[ \t]*\r?\n([ \t]+)"/.exec(text)?.[1] ?? "  ";
}

/** @param open where its brace is; the text is valid JSON */
function scanObject(text: string, open: number): Found {
  const members: Member[] = [];
  let at = skipBlanks(text, open + 1);
  while (text[at] === '"') {
    const start = at, nameEnd = skipString(text, at);
    const valueStart = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    const end = skipValue(text, valueStart);
    members.push({ name: JSON.parse(text.slice(start, nameEnd)), start, valueStart, end });
    at = skipBlanks(text, end);
    if (text[at] === ",") at = skipBlanks(text, at + 1);
  }
  return { open, close: at, members };
}

function skipBlanks(text: string, at: number): number {
  while (/\s/.test(text[at] ?? "")) at++;
  return at;
}

function skipString(text: string, at: number): number {
  for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
  return at + 1;
}

function skipValue(text: string, at: number): number {
  for (let depth = 0;;) {
    const c = text[at] ?? "";
    if (c === '"') at = skipString(text, at);
    else if (c === "{" || c === "[") {
      depth++;
      at++;
    } else if (c === "}" || c === "]") {
      depth--;
      at++;
    } else if (depth > 0) at++;
    else return at + (/^[\w.+-]+/.exec(text.slice(at))?.[0].length ?? 0);
    if (depth === 0 && '"}]'.includes(text[at - 1] ?? " ")) return at;
  }
}
