/** Tests of the assertions: each passes when it should, and fails with a message when it should. */

import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "@std/assert";

/** Whether `fn` threw an AssertionError; any other error passes on. */
function fails(fn: () => void): boolean {
  try {
    fn();
    return false;
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
}

function check(isFailing: boolean, fn: () => void): void {
  if (fails(fn) !== isFailing) throw new Error(`expected failing=${isFailing}: ${fn}`);
}

class Celsius {
  #degrees: number;
  constructor(degrees: number) {
    this.#degrees = degrees;
  }
  get degrees(): number {
    return this.#degrees;
  }
}

function errorOf(message: string): Error {
  return new Error(message);
}

Deno.test("equal compares by content", () => {
  const cases: [unknown, unknown, boolean][] = [
    [1, 1, true],
    [NaN, NaN, true],
    [0, -0, true],
    [1, "1", false],
    [null, undefined, false],
    [null, {}, false],
    [{ a: 1, b: [2] }, { b: [2], a: 1 }, true],
    [{ a: undefined }, {}, false],
    [[1, 2], [1, 2, 3], false],
    [[], {}, false],
    [new Uint8Array([1, 2]), new Uint8Array([1, 2]), true],
    [new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
    [new Uint8Array([1]), new Int8Array([1]), false],
    [new Float64Array([NaN]), new Float64Array([NaN]), true],
    [new Uint8Array([1]).buffer, new Uint8Array([2]).buffer, false],
    [new Map([[{ k: 1 }, "v"]]), new Map([[{ k: 1 }, "v"]]), true],
    [new Map([["a", 1]]), new Map([["a", 2]]), false],
    [new Set([[1], [2]]), new Set([[2], [1]]), true],
    [new Set([1]), new Set([2]), false],
    [new Date(5), new Date(5), true],
    [new Date(5), new Date(6), false],
    [/a/g, /a/g, true],
    [/a/g, /a/i, false],
    [new Celsius(1), new Celsius(1), true],
    [new Celsius(1), new Celsius(2), false],
    [new Celsius(1), { degrees: 1 }, false],
    [new DataView(new ArrayBuffer(2), 1), new DataView(new ArrayBuffer(2), 1), true],
    [new DataView(new ArrayBuffer(2), 1), new DataView(new ArrayBuffer(1)), false],
    [{ constructor: 1 }, { constructor: 1 }, true],
    [new URLSearchParams("a=1"), new URLSearchParams("a=2"), false],
    [{ [Symbol.for("s")]: 1 }, { [Symbol.for("s")]: 2 }, false],
    [Object.create(null), {}, true],
    [1n, 1n, true],
  ];
  for (const [a, b, isEqual] of cases) {
    if (equal(a, b) !== isEqual || equal(b, a) !== isEqual) {
      throw new Error(`equal(${Deno.inspect(a)}, ${Deno.inspect(b)}) should be ${isEqual}`);
    }
  }
});

Deno.test("errors are equal if all they have is, their stacks included", () => {
  const made = (message: string) => [1, 2].map(() => errorOf(message));
  const [a, b] = made("x"), [c] = made("y");
  assert(equal(a, b));
  assertFalse(equal(a, c));
  assertFalse(equal(a, errorOf("x")), "made elsewhere");
  assertFalse(equal(errorOf("x"), new TypeError("x")));
});

Deno.test("equal ends on cycles", () => {
  const a: Record<string, unknown> = { n: 1 };
  a.self = a;
  const b: Record<string, unknown> = { n: 1 };
  b.self = b;
  check(false, () => assertEquals(a, b));
  b.n = 2;
  check(true, () => assertEquals(a, b));
});

Deno.test("assertEquals shows a diff and the caller's message", () => {
  const error = assertThrows(
    () => assertEquals({ a: 1, b: 2 }, { a: 1, b: 3 }, "while testing"),
    AssertionError,
    "Values are not equal: while testing",
  );
  assertMatch(error.message, /-\s+b: 2/);
  assertMatch(error.message, /\+\s+b: 3/);
  assertNotMatch(error.message, /[-+]\s+a: 1/);
});

Deno.test("simple assertions pass and fail", () => {
  check(false, () => assert(1));
  check(true, () => assert(0));
  check(false, () => assertFalse(""));
  check(true, () => assertFalse("x"));
  check(false, () => assertExists(0));
  check(true, () => assertExists(null));
  check(true, () => assertExists(undefined));
  check(false, () => assertInstanceOf(new TypeError(), Error));
  check(true, () => assertInstanceOf(null, Error));
  check(true, () => assertInstanceOf({}, Map));
  check(false, () => assertMatch("abc", /b/));
  check(true, () => assertMatch("abc", /^b/));
  check(false, () => assertStringIncludes("abc", "bc"));
  check(true, () => assertStringIncludes("abc", "bd"));
  check(true, () => fail("x"));
  check(true, () => unreachable());
});

Deno.test("comparisons pass and fail", () => {
  const o = {};
  check(false, () => assertStrictEquals(o, o));
  check(true, () => assertStrictEquals({}, {}));
  check(true, () => assertStrictEquals(0, -0));
  check(false, () => assertNotStrictEquals({}, {}));
  check(true, () => assertNotStrictEquals(o, o));
  check(false, () => assertNotEquals(1, 2));
  check(true, () => assertNotEquals([1], [1]));
  check(false, () => assertGreater(2, 1));
  check(true, () => assertGreater(1, 1));
  check(false, () => assertGreaterOrEqual(1, 1));
  check(true, () => assertGreaterOrEqual(0, 1));
  check(false, () => assertLess(1n, 2n));
  check(true, () => assertLess(2, 2));
  check(false, () => assertLessOrEqual(2, 2));
  check(true, () => assertLessOrEqual("b", "a"));
  check(false, () => assertAlmostEquals(0.1 + 0.2, 0.3));
  check(true, () => assertAlmostEquals(0.1, 0.2));
  check(false, () => assertAlmostEquals(10, 12, 2));
});

Deno.test("assertThrows checks class and message", () => {
  const error = assertThrows(
    () => {
      throw new RangeError("too big");
    },
    RangeError,
    "big",
  );
  assertEquals(error.message, "too big");
  check(true, () => assertThrows(() => {}));
  check(true, () =>
    assertThrows(() => {
      throw new RangeError("too big");
    }, TypeError));
  check(true, () =>
    assertThrows(
      () => {
        throw new RangeError("too big");
      },
      RangeError,
      "small",
    ));
  const thrown = assertThrows(() => {
    throw "text";
  });
  assertEquals(thrown, "text");
});

Deno.test("assertRejects distinguishes a rejection from a throw", async () => {
  const error = await assertRejects(() => Promise.reject(new TypeError("no")), TypeError, "no");
  assertEquals(error.message, "no");
  await assertRejects(
    () => assertRejects(() => Promise.resolve(1)),
    AssertionError,
    "Expected function to reject",
  );
  await assertRejects(
    () =>
      assertRejects(() => {
        throw new Error("sync");
      }),
    AssertionError,
    "throws when expected to reject",
  );
});
