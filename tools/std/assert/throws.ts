/** Assertions that a function throws or rejects. Neighbours: `basic.ts` has the others. */

import { AssertionError, suffix } from "./assertion_error.ts";
import type { Class } from "./basic.ts";
import { show } from "./format.ts";

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message contains `msgIncludes`. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const isPlain = typeof classOrMsg !== "function";
  const own = isPlain ? classOrMsg : msg;
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    if (!isPlain) checkError(error, classOrMsg, msgIncludes, own, "thrown");
    return thrown;
  }
  throw new AssertionError(`Expected function to throw${suffix(own)}`);
}

/** Fails unless the promise of `fn` rejects; resolves to the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise rejects with an `ErrorClass` whose message contains `msgIncludes`. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const isPlain = typeof classOrMsg !== "function";
  const own = isPlain ? classOrMsg : msg;
  let promise: PromiseLike<unknown> | null = null;
  try {
    const returned: unknown = fn();
    if (isPromiseLike(returned)) promise = returned;
    await promise;
  } catch (error) {
    if (promise === null) {
      throw new AssertionError(`Function throws when expected to reject${suffix(own)}`, {
        cause: error,
      });
    }
    if (!isPlain) checkError(error, classOrMsg, msgIncludes, own, "rejected");
    return error;
  }
  throw new AssertionError(`Expected function to reject${suffix(own)}`);
}

function isPromiseLike(v: unknown): v is PromiseLike<unknown> {
  return typeof v === "object" && v !== null && "then" in v && typeof v.then === "function";
}

function checkError(
  error: unknown,
  ErrorClass: Class<Error>,
  msgIncludes: string | undefined,
  msg: string | undefined,
  verb: "thrown" | "rejected",
): void {
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${verb}${suffix(msg)}`, { cause: error });
  }
  const found = error.constructor?.name;
  if (!(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${found}"${suffix(msg)}`,
      { cause: error },
    );
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    throw new AssertionError(
      `Expected error message to include ${show(msgIncludes)}, but got ` +
        `${show(error.message)}${suffix(msg)}`,
      { cause: error },
    );
  }
}
