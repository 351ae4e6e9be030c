/**
 * The template tag `sh`: a script of the shell whose values are never read as shell code. Each
 * value is assigned to a variable in front of the script, and the script has `"${variable}"` in its
 * place, so that no mistake about the script's quotation marks lets a value out of its word.
 */

import { InvalidArgumentError } from "./errors.ts";

/** What may stand in a script: a value is one word, an array is a word for each of its elements. */
export type ShellValue = string | number | bigint | boolean | readonly (string | number)[];

/** Prefix of the variables' names. */
const VARIABLE = "_dvisor_";

/**
 * The script of a template.
 * @throws InvalidArgumentError if a value has no place in a script
 */
export function shellScript(
  strings: readonly string[],
  values: readonly ShellValue[],
): string {
  const assignments: string[] = [], scanner = new QuoteScanner();
  let script = "";
  strings.forEach((text, i) => {
    script += text;
    scanner.scan(text);
    if (i === values.length) return;
    const value = values[i], words = Array.isArray(value) ? value : [value];
    const names = words.map((word, j) => {
      const name = `${VARIABLE}${i}_${j}`;
      assignments.push(`${name}=${quoted(word, i)}`);
      return name;
    });
    script += place(names, Array.isArray(value), scanner.state, i);
  });
  return assignments.length === 0 ? script : `${assignments.join(" ")}; ${script}`;
}

function place(
  names: readonly string[],
  isList: boolean,
  state: QuoteState,
  index: number,
): string {
  if (state === "single") {
    throw new InvalidArgumentError(
      `sh: value ${index + 1} stands between single quotation marks; write \${...} without them`,
    );
  }
  if (state === "none") return names.map((name) => `"\${${name}}"`).join(" ");
  if (isList) {
    throw new InvalidArgumentError(
      `sh: value ${index + 1} is an array between quotation marks; write \${...} without them`,
    );
  }
  return `\${${names[0]}}`;
}

/** A value as a word of the shell between single quotation marks. */
function quoted(value: unknown, index: number): string {
  const isText = typeof value === "string" || typeof value === "boolean";
  if (!isText && typeof value !== "number" && typeof value !== "bigint") {
    const kind = value === null ? "null" : typeof value;
    throw new InvalidArgumentError(`sh: value ${index + 1} must be text or a number, got ${kind}`);
  }
  const text = String(value);
  if (text.includes("\0")) {
    throw new InvalidArgumentError(`sh: value ${index + 1} has a NUL character`);
  }
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

type QuoteState = "none" | "single" | "double";

/** Follows the quotation marks of a script, also inside of `$( )`. */
class QuoteScanner {
  /** Innermost last; `(` is a command substitution or a group. */
  readonly #open: string[] = [];
  #isEscaped = false;
  #previous = "";

  get state(): QuoteState {
    const last = this.#open.at(-1);
    return last === "'" ? "single" : last === '"' ? "double" : "none";
  }

  scan(text: string): void {
    for (const c of text) {
      this.#step(c);
      this.#previous = c;
    }
  }

  #step(c: string): void {
    const open = this.#open, last = open.at(-1);
    if (this.#isEscaped) this.#isEscaped = false;
    else if (last === "'") {
      if (c === "'") open.pop();
    } else if (c === "\\") this.#isEscaped = true;
    else if (c === '"' && last === '"') open.pop();
    else if (c === '"') open.push('"');
    else if (c === "'" && last !== '"') open.push("'");
    else if (c === "(" && (last !== '"' || this.#previous === "$")) open.push("(");
    else if (c === ")" && last === "(") open.pop();
  }
}
