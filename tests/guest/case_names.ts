/**
 * The names of the guest cases as the scripts' text has them, without running one: for claims that
 * name a case. Not a test. A script writes its cases as functions with a decorator, and tables of
 * them as rows of @cases.
 */

import { scriptPath, scripts } from "./scripts.ts";

/** A decorated function at the left margin. */
const FUNCTION = /^@\w[^]*?^def (\w+)\(/gm;

/**
 * Whether "script.case" names a case: a function, or a function and the label of one of its rows.
 */
export class CaseNames {
  readonly #texts: Map<string, string> = new Map();
  readonly #functions: Map<string, string[]> = new Map();

  constructor() {
    for (const script of scripts()) {
      const text = Deno.readTextFileSync(scriptPath(script));
      this.#texts.set(script, text);
      this.#functions.set(script, [...text.matchAll(FUNCTION)].map((m) => m[1] ?? ""));
    }
  }

  has(name: string): boolean {
    const [script = "", wanted = ""] = name.split(".");
    return (this.#functions.get(script) ?? []).some((fn) =>
      fn === wanted || wanted.startsWith(`${fn}_`) && this.#hasRow(script, fn, wanted)
    );
  }

  /** A row `("LABEL", ...)` of the table in front of `fn`. */
  #hasRow(script: string, fn: string, wanted: string): boolean {
    const text = this.#texts.get(script) ?? "", end = text.indexOf(`\ndef ${fn}(`);
    const table = text.slice(text.lastIndexOf("\n@cases", end), end);
    return table.includes(`("${wanted.slice(fn.length + 1)}",`);
  }

  /** All text of all scripts. */
  get text(): string {
    return [...this.#texts.values()].join("\n");
  }
}
