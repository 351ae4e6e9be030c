/**
 * A value of a JSON file with the path that leads to it, so that an error names the place:
 * `config.json: process.args[1] is 7, expected a string`.
 */

import { EXIT_USAGE, UserError } from "./user_error.ts";
import { syntaxError } from "./json_syntax.ts";
import { shownShort } from "./shown_text.ts";

export class JsonNode {
  readonly #file: string;
  /** As a program would write it: `process.args[1]`; "" for the whole file. */
  readonly path: string;
  readonly value: unknown;
  /** Of a member. */
  readonly name: string;

  constructor(file: string, path: string, value: unknown, name: string = "") {
    this.#file = file;
    this.path = path;
    this.value = value;
    this.name = name;
  }

  /**
   * The content of a file.
   *
   * @param path of the file, where `file` is only its name
   * @throws UserError if it is no JSON
   */
  static parse(file: string, text: string, path = file): JsonNode {
    try {
      return new JsonNode(file, "", JSON.parse(text));
    } catch {
      throw new UserError(`${path} is not valid JSON: ${syntaxError(text)}`, EXIT_USAGE);
    }
  }

  /** Absent members and nulls are the same, as OCI runtimes take them. */
  get isAbsent(): boolean {
    return this.value === undefined || this.value === null;
  }

  member(name: string): JsonNode {
    const object = this.isAbsent ? {} : this.object();
    const value = Object.hasOwn(object, name) ? Reflect.get(object, name) : undefined;
    return new JsonNode(this.#file, memberPath(this.path, name), value, name);
  }

  /** The members that there are. */
  members(): JsonNode[] {
    return this.isAbsent ? [] : Object.keys(this.object()).map((name) => this.member(name));
  }

  /** The elements of a list; none if it is absent. */
  items(): JsonNode[] {
    if (this.isAbsent) return [];
    if (!Array.isArray(this.value)) this.expected("a list");
    return this.value.map((value, i) => new JsonNode(this.#file, `${this.path}[${i}]`, value));
  }

  object(): object {
    const { value } = this;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.expected("an object");
    }
    return value;
  }

  string(): string {
    if (typeof this.value !== "string") this.expected("a string");
    if (this.value.includes("\0")) this.expected("a string without NUL");
    return this.value;
  }

  boolean(): boolean {
    if (typeof this.value !== "boolean") this.expected("true or false");
    return this.value;
  }

  /** A whole number from `min` to `max`. */
  integer(min: number, max: number): number {
    const { value } = this;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      this.expected(`a whole number from ${min} to ${max}`);
    }
    return value;
  }

  /** A finite number that is not below 0. */
  amount(): number {
    const { value } = this;
    return typeof value === "number" && value >= 0 && value < Infinity
      ? value
      : this.expected("a number that is at least 0");
  }

  /** One of some strings. */
  oneOf<T extends string>(choices: readonly T[]): T {
    const text = this.string();
    return choices.find((choice) => choice === text) ?? this.expected(choices.join(", "));
  }

  absolutePath(): string {
    const text = this.string();
    return text.startsWith("/") ? text : this.expected("an absolute path");
  }

  strings(): string[] {
    return this.items().map((item) => item.string());
  }

  /** `or` if it is absent, else what `read` makes of it. */
  optional<T>(or: T, read: (node: JsonNode) => T): T {
    return this.isAbsent ? or : read(this);
  }

  /** For what this program cannot do; fine if it is absent or empty. */
  refuse(): void {
    const { value } = this;
    if (this.isAbsent || value === "" || value === false) return;
    if (typeof value === "object" && value !== null && Object.keys(value).length === 0) return;
    this.fail("is not supported");
  }

  fail(problem: string): never {
    const where = this.path === "" ? this.#file : `${this.#file}: ${this.path}`;
    throw new UserError(`${where} ${problem}`, EXIT_USAGE);
  }

  /** Fails, showing the value. */
  expected(what: string): never {
    const shown = this.value === undefined ? "missing" : show(this.value);
    this.fail(`is ${shown}, expected ${what}`);
  }
}

/** Lists and objects may be deep and large: only empty ones are shown. */
function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "[]" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    return Object.keys(value).length === 0 ? "{}" : "an object";
  }
  return typeof value === "string" ? `"${shownShort(value)}"` : JSON.stringify(value);
}

/** Names that are no identifiers are quoted: `annotations["a.b"]`. */
function memberPath(path: string, name: string): string {
  if (!/^[A-Za-z_]\w*$/.test(name)) return `${path}["${shownShort(name)}"]`;
  return path === "" ? name : `${path}.${name}`;
}
