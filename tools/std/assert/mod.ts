/**
 * Stand-in for `jsr:@std/assert` on machines that cannot reach JSR: the functions this project
 * uses, with the same signatures and behaviour. Not a copy and not the whole package.
 * Neighbour: `../provide.ts` puts them in the place of the package.
 */

export { AssertionError } from "./assertion_error.ts";
export { equal } from "./equal.ts";
export {
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertGreaterOrEqual,
  assertLess,
  assertLessOrEqual,
  assertNotEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "./compare.ts";
export { assertRejects, assertThrows } from "./throws.ts";
export {
  assert,
  assertExists,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertNotMatch,
  assertStringIncludes,
  fail,
  unreachable,
} from "./basic.ts";
