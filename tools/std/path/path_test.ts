/** Tests of the path functions against what POSIX text rules and `@std/path` give. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  basename,
  dirname,
  extname,
  fromFileUrl,
  isAbsolute,
  join,
  normalize,
  relative,
  resolve,
  SEPARATOR,
  toFileUrl,
} from "@std/path";

Deno.test("parts of a path", () => {
  assertEquals(SEPARATOR, "/");
  for (
    const [path, dir, base, ext] of [
      ["/a/b.ts", "/a", "b.ts", ".ts"],
      ["/a/b/", "/a", "b", ""],
      ["a", ".", "a", ""],
      ["", ".", "", ""],
      ["/", "/", "/", ""],
      ["//a", "/", "a", ""],
      ["/a//b", "/a", "b", ""],
      ["a/.bashrc", "a", ".bashrc", ""],
      ["a/..", "a", "..", ""],
      ["a/b.tar.gz", "a", "b.tar.gz", ".gz"],
      ["a/b.", "a", "b.", "."],
    ] as const
  ) {
    assertEquals([dirname(path), basename(path), extname(path)], [dir, base, ext], path);
  }
  assertEquals(basename("/a/b.ts", ".ts"), "b");
  assertEquals(basename("/a/.ts", ".ts"), ".ts");
  assertEquals(isAbsolute("/a"), true);
  assertEquals(isAbsolute("a"), false);
});

Deno.test("normalize resolves dots and keeps a trailing separator", () => {
  for (
    const [path, expected] of [
      ["", "."],
      [".", "."],
      ["./", "./"],
      ["/..", "/"],
      ["/../../a/", "/a/"],
      ["a/../..", ".."],
      ["../../a/./b//c/..", "../../a/b"],
      ["a/..", "."],
      ["a//", "a/"],
    ] as const
  ) assertEquals(normalize(path), expected, path);
});

Deno.test("join, resolve and relative", () => {
  assertEquals(join(), ".");
  assertEquals(join("", ""), ".");
  assertEquals(join("/a", "../b", "", "c/"), "/b/c/");
  assertEquals(join("a", "/b"), "a/b");
  assertEquals(resolve("/a", "b", "../c"), "/a/c");
  assertEquals(resolve("x", "/a", "b/"), "/a/b");
  assertEquals(resolve(), Deno.cwd());
  assertEquals(relative("/a/b/c", "/a/d"), "../../d");
  assertEquals(relative("/a", "/a"), "");
  assertEquals(relative("/a/b", "/a/b/c/d"), "c/d");
  assertEquals(relative("/", "/x"), "x");
});

Deno.test("file URLs and back", () => {
  for (const path of ["/", "/a b/c", "/100%/x?y#z", "/ü/\\n", "/a%20b"]) {
    assertEquals(fromFileUrl(toFileUrl(path)), path);
  }
  assertEquals(toFileUrl("/a b%?").href, "file:///a%20b%25%3F");
  assertEquals(fromFileUrl("file:///a%20b"), "/a b");
  assertEquals(dirname(new URL("file:///a/b")), "/a");
  assertThrows(() => fromFileUrl("https://x/y"), TypeError, "must be a file URL");
  assertThrows(() => toFileUrl("a"), TypeError, "must be absolute");
});
