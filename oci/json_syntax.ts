/**
 * The place where a text stops being JSON (RFC 8259), for the message about it: JSON.parse does not
 * always give one. Not a parser of values.
 */

/** What may come next. */
type State = "value" | "first item" | "first name" | "name" | "colon" | "next" | "end";

/** `line 3, column 5: expected , or }, found "x"`, for a text that JSON.parse refuses. */
export function syntaxError(text: string): string {
  const { at, expected } = scan(text);
  const before = text.slice(0, at), start = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length, column = at - start + 1;
  const found = at < text.length ? JSON.stringify(text.slice(at, at + 1)) : "the end";
  return `line ${line}, column ${column}: expected ${expected}, found ${found}`;
}

interface Fault {
  /** Offset of the first character that does not belong there. */
  readonly at: number;
  readonly expected: string;
}

function scan(text: string): Fault {
  /** The brackets that are open. */
  const open: string[] = [];
  let state: State = "value", at = 0;
  for (;;) {
    while (" \t\r\n".includes(text[at] ?? "x")) at++;
    const c = text[at] ?? "", fault: Fault = { at, expected: expectedIn(state, open) };
    const isClosing = c !== "" && c === closing(open);
    if (isClosing && (state === "next" || state === "first item" || state === "first name")) {
      open.pop();
      state = afterValue(open);
      at++;
    } else if (state === "next" && c === ",") {
      state = open.at(-1) === "{" ? "name" : "value";
      at++;
    } else if (state === "colon" && c === ":") {
      state = "value";
      at++;
    } else if ((state === "name" || state === "first name") && c === '"') {
      const string = scanString(text, at);
      if (typeof string !== "number") return string;
      [state, at] = ["colon", string];
    } else if (state === "value" || state === "first item") {
      if (c === "{" || c === "[") {
        open.push(c);
        state = c === "{" ? "first name" : "first item";
        at++;
        continue;
      }
      const end = c === '"' ? scanString(text, at) : scanWord(text, at);
      if (typeof end !== "number") return end ?? fault;
      [state, at] = [afterValue(open), end];
    } else return fault;
  }
}

function closing(open: readonly string[]): string | undefined {
  const last = open.at(-1);
  return last === undefined ? undefined : last === "{" ? "}" : "]";
}

function afterValue(open: readonly string[]): State {
  return open.length === 0 ? "end" : "next";
}

function expectedIn(state: State, open: readonly string[]): string {
  switch (state) {
    case "value":
      return "a value";
    case "first item":
      return "a value or ]";
    case "first name":
      return "a name in quotes or }";
    case "name":
      return "a name in quotes";
    case "colon":
      return ":";
    case "next":
      return `, or ${closing(open)}`;
    case "end":
      return "nothing more";
  }
}

/** @returns the offset behind the string, or what is wrong in it */
function scanString(text: string, start: number): number | Fault {
  for (let at = start + 1;; at++) {
    const c = text[at];
    if (c === undefined || c < " ") return { at, expected: 'the " that ends a string' };
    if (c === '"') return at + 1;
    if (c !== "\\") continue;
    at++;
    if (text[at] === "u") {
      for (let i = 0; i < 4; i++) {
        if (!/[0-9a-fA-F]/.test(text[++at] ?? "")) {
          return { at, expected: "4 hex digits behind \\u" };
        }
      }
    } else if (!'"\\/bfnrt'.includes(text[at] ?? "x")) {
      return { at, expected: '" \\ / b f n r t or u behind \\' };
    }
  }
}

const WORD = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;

/** A number, true, false or null. @returns the offset behind it, or null */
function scanWord(text: string, at: number): number | null {
  WORD.lastIndex = at;
  return WORD.test(text) ? WORD.lastIndex : null;
}
