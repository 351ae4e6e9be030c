/**
 * Checks of option values, for callers without types: an error names the option, says what it must
 * be, and shows what it is.
 */

import { suggestion } from "../closest_name.ts";
import { CPUS_MAX, CPUS_MIN, ID_MAX, LIFETIME_MAX_MS } from "../protocol/session/limits.ts";
import { signalNumber } from "../protocol/session/signals.ts";
import { InvalidArgumentError } from "./errors.ts";

/** @returns what the value must be, or null if it is right */
type Check = (value: unknown) => string | null;

/** The checks of an object's members, each of which may be absent. */
export type Checks = Readonly<Record<string, Check>>;

/**
 * Checks an options object. An absent member may also be `undefined`.
 * @param of the function whose options they are, for messages
 * @throws InvalidArgumentError
 */
export function checkOptions(of: string, options: unknown, checks: Checks): void {
  if (!isObject(options)) {
    throw new InvalidArgumentError(`the options of ${of} must be an object, got ${shown(options)}`);
  }
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw unknownOption(of, name, Object.keys(checks));
    const wanted = value === undefined ? null : check(value);
    if (wanted !== null) {
      throw new InvalidArgumentError(`${name} must be ${wanted}, got ${shown(value)}`);
    }
  }
}

function unknownOption(of: string, name: string, known: readonly string[]): InvalidArgumentError {
  const hint = suggestion(name, known) || `; it has ${known.join(", ")}`;
  return new InvalidArgumentError(`${of} has no option ${name}${hint}`);
}

/** The longest time of setTimeout(), ms. */
const DELAY_MAX_MS = 2 ** 31 - 1;
const SHOWN_MAX = 60;

function shown(value: unknown): string {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  let text: string;
  try {
    text = typeof value === "number" ? String(value) : JSON.stringify(value) ?? String(value);
  } catch {
    text = "an object";
  }
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string =>
  typeof value === "string" && !value.includes("\0");

export const text: Check = (value) => isText(value) ? null : "a string without NUL characters";

export const boolean: Check = (value) => typeof value === "boolean" ? null : "true or false";

export const absolutePath: Check = (value) =>
  isText(value) && value.startsWith("/") ? null : "an absolute path";

/** A whole number from `min`; `unit` says both in words. */
export function whole(min: number, words: string, max = Number.MAX_SAFE_INTEGER): Check {
  return (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max
      ? null
      : `a whole number ${words}`;
}

export const milliseconds: Check = (value) =>
  typeof value === "number" && Number.isFinite(value) && value >= 0
    ? null
    : "a number of milliseconds, 0 or more";

/** A time after which a sandbox ends: more than none, or it would end at once. */
export const lifetime: Check = (value) =>
  typeof value === "number" && value > 0 && value <= LIFETIME_MAX_MS
    ? null
    : "a number of milliseconds, more than 0 and at most a century";

/** A time of the runtime's timers: a longer one would end at once. */
export const delay: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= DELAY_MAX_MS
    ? null
    : `a number of milliseconds from 0 to ${DELAY_MAX_MS}`;

export function orNull(check: Check): Check {
  return (value) => {
    const wanted = value === null ? null : check(value);
    return wanted === null ? null : `${wanted}, or null`;
  };
}

export function orText(text: string, check: Check): Check {
  return (value) => {
    const wanted = value === text ? null : check(value);
    return wanted === null ? null : `"${text}" or ${wanted}`;
  };
}

export const processors: Check = (value) =>
  typeof value === "number" && value >= CPUS_MIN && value <= CPUS_MAX
    ? null
    : `a number of processors from ${CPUS_MIN}, as 0.5 or 2`;

export function oneOf(...allowed: readonly string[]): Check {
  return (value) =>
    typeof value === "string" && allowed.includes(value)
      ? null
      : allowed.map((name) => `"${name}"`).join(" or ");
}

export const texts: Check = (value) =>
  Array.isArray(value) && value.every(isText) ? null : "an array of strings";

export const absolutePaths: Check = (value) =>
  Array.isArray(value) && value.every((path) => isText(path) && path.startsWith("/"))
    ? null
    : "an array of absolute paths";

/** An object with strings alone, whose names are not empty and have no "=". */
export const textRecord: Check = (value) =>
  isObject(value) &&
    Object.entries(value).every(([name, v]) => isText(v) && /^[^=\0]+$/.test(name))
    ? null
    : "an object whose values are strings";

const isId = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= ID_MAX;

export const user: Check = (value) => {
  if (isText(value) && value !== "") return null;
  const isPair = isObject(value) && "uid" in value && "gid" in value && isId(value.uid) &&
    isId(value.gid);
  return isPair ? null : "the name of a user, or { uid, gid } with numbers";
};

export const abortSignal: Check = (value) => value instanceof AbortSignal ? null : "an AbortSignal";

export const callback: Check = (value) => typeof value === "function" ? null : "a function";

export const bytesOrStream: Check = (value) =>
  typeof value === "string" || value instanceof Uint8Array || value instanceof ReadableStream
    ? null
    : "a string, a Uint8Array or a ReadableStream";

/** An object with these members. */
export function object(of: string, checks: Checks): Check {
  return (value) => {
    if (!isObject(value)) return `an object with ${Object.keys(checks).join(", ")}`;
    checkOptions(of, value, checks);
    return null;
  };
}

/** An array of objects with these members, the first `required` of which must be there. */
export function objects(of: string, checks: Checks, required: readonly string[]): Check {
  return (value) => {
    if (!Array.isArray(value)) return "an array of objects";
    for (const item of value) {
      checkOptions(of, item, checks);
      const missing = required.find((name) => !isObject(item) || !Object.hasOwn(item, name));
      if (missing !== undefined) return `an array of objects with ${required.join(" and ")}`;
    }
    return null;
  };
}

/** @throws InvalidArgumentError if it is no signal */
export function checkSignal(signal: unknown): void {
  if (signalNumber(signal) !== null) return;
  throw new InvalidArgumentError(
    `a signal is a name like "SIGTERM", or a number from 1 to 64, got ${shown(signal)}`,
  );
}
