import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../user_error.ts";
import { directoryOf, expandSlice, groupPath, scopeName } from "./group_path.ts";
import type { CgroupTree } from "./hierarchy.ts";

const tree: CgroupTree = { mountPoint: "/sys/fs/cgroup/memory", root: "/", own: "/user/session" };

Deno.test("absolute paths begin at the tree's root, others at the caller's group", () => {
  const at = (path: string | null) => directoryOf(tree, groupPath(path, "c1"), false);
  assertEquals(at("/docker/abc"), "/sys/fs/cgroup/memory/docker/abc");
  assertEquals(at("pods//x/./y"), "/sys/fs/cgroup/memory/user/session/pods/x/y");
  assertEquals(at(null), "/sys/fs/cgroup/memory/user/session/c1");
  assertEquals(at(""), "/sys/fs/cgroup/memory/user/session/c1");
});

Deno.test("on v2 relative paths begin beside the caller's group, which has processes", () => {
  assertEquals(directoryOf(tree, groupPath("x", "c1"), true), "/sys/fs/cgroup/memory/user/x");
});

Deno.test("a mount of a part of the tree is where the part begins", () => {
  const part = { ...tree, root: "/user", own: "/user/session" };
  assertEquals(directoryOf(part, groupPath("x", "c"), false), "/sys/fs/cgroup/memory/session/x");
  // A cgroup namespace shows what is above it so.
  const outside = { ...tree, own: "/../.." };
  assertEquals(directoryOf(outside, groupPath("x", "c"), false), "/sys/fs/cgroup/memory/x");
});

Deno.test("no path leaves its tree", () => {
  const bad = [
    "/..",
    "../x",
    "/a/../../b",
    "/",
    "//",
    ".",
    "/a\0b",
    "/a\nb",
    `/${"x".repeat(256)}`,
  ];
  for (const path of bad) {
    assertThrows(() => groupPath(path, "c1"), UserError, "config.json: linux.cgroupsPath");
  }
});

Deno.test("systemd's names are slice, prefix and name", () => {
  assertEquals(scopeName("machine.slice:libpod:abc", "c1"), {
    slice: "machine.slice",
    unit: "libpod-abc.scope",
  });
  assertEquals(scopeName(null, "c1"), { slice: "", unit: "dvisor-c1.scope" });
  assertEquals(scopeName("::x", "c1"), { slice: "", unit: "x.scope" });
  const bad = [
    "/docker/abc",
    "a:b",
    "a.slice:b:",
    "a/../b.slice:x:y",
    "a--b.slice:x:y",
    "x:y:z/../w",
  ];
  for (const path of bad) assertThrows(() => scopeName(path, "c1"), UserError, "cgroupsPath");
});

Deno.test("a slice lies in the slices of its name", () => {
  assertEquals(expandSlice("a-b-c.slice"), ["a.slice", "a-b.slice", "a-b-c.slice"]);
  assertEquals(expandSlice("system.slice"), ["system.slice"]);
  assertEquals(expandSlice("-.slice"), []);
});
