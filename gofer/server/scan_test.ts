/**
 * Tscan through a real server and client: its results, and the directories that it does not enter.
 */

import { assert, assertEquals } from "@std/assert";
import { EBADF, EINVAL, ENOTDIR } from "../../ffi/abi/errno.ts";
import type { GoferClient } from "../client/gofer_client.ts";
import {
  ATTR_NO_XATTRS,
  attrAt,
  scan,
  SCAN_ATTRS,
  SCAN_DEEP,
  SCAN_EXACT,
  SCAN_ROOT,
  SCAN_SORTED,
  SCAN_XATTRS,
  ScanBlocks,
  type ScanReply,
} from "../client/scan.ts";
import { bind, inTree } from "./tree_testing.ts";
import { withServer } from "./testing.ts";

/** Blocks as paths with the names in them; "name=size" with attributes, "name->text" for links. */
function show(paths: readonly string[], reply: ScanReply | number): Map<string, string[]> {
  if (typeof reply === "number") throw new Error(`scan: ${reply}`);
  const found = new Map<string, string[]>(), pathOf: string[] = [], names: string[][] = [];
  const blocks = new ScanBlocks().open(reply.bytes, reply.view, 0, reply.bytes.length);
  while (blocks.nextBlock()) {
    const { parent, index } = blocks;
    const path = parent === SCAN_ROOT
      ? paths[index]
      : `${pathOf[parent]}/${names[parent]?.[index]}`;
    const plain: string[] = [], list: string[] = [];
    while (blocks.nextEntry()) {
      const name = blocks.name.toByteString(), { attrAt: at, target } = blocks;
      plain.push(name);
      if (at < 0) list.push(blocks.isDirectory ? `${name}/` : name);
      else if (target.len > 0) list.push(`${name}->${target.toByteString()}`);
      else if (blocks.isDirectory) list.push(`${name}/`);
      else list.push(`${name}=${attrAt(reply.bytes, reply.view, at).size}`);
    }
    names.push(plain);
    pathOf.push(path ?? "?");
    found.set(path ?? "?", list.sort());
  }
  return found;
}

function scanOf(c: GoferClient, paths: string[], flags: number, entries = 16384): ScanReply {
  const reply = scan(c, 0, paths, flags, entries, Infinity);
  if (typeof reply === "number") throw new Error(`scan: ${reply}`);
  return reply;
}

Deno.test("a scan brings a tree: names, or attributes and texts of links", async () => {
  await inTree({}, true, (c, dir) => {
    Deno.mkdirSync(`${dir}/t/x/y`, { recursive: true });
    Deno.mkdirSync(`${dir}/t/empty`);
    Deno.writeTextFileSync(`${dir}/t/x/y/f`, "12345");
    Deno.symlinkSync("x/y", `${dir}/t/link`);
    assertEquals(
      show(["t"], scanOf(c, ["t"], SCAN_DEEP)),
      new Map([
        ["t", ["empty/", "link", "x/"]],
        ["t/empty", []],
        ["t/x", ["y/"]],
        ["t/x/y", ["f"]],
      ].map(([k, v]) => [k as string, v as string[]])),
    );
    const full = show(["t", "t/x/y"], scanOf(c, ["t", "t/x/y"], SCAN_ATTRS));
    assertEquals([...full], [["t", ["empty/", "link->x/y", "x/"]], ["t/x/y", ["f=5"]]]);
    assertEquals([...show(["t/x"], scanOf(c, ["t/x"], 0)).keys()], ["t/x"]);
    const one = scanOf(c, ["t/x"], 0), blocks = new ScanBlocks();
    blocks.open(one.bytes, one.view, 0, one.bytes.length).nextBlock();
    assert(blocks.flags === 0 || blocks.flags === SCAN_EXACT);
  });
});

Deno.test("a scan keeps the order of a tree, or of names, and stops at its limits", async () => {
  await inTree({}, true, (c, dir) => {
    for (const a of "qwertz") {
      for (const b of "yxcvb") Deno.mkdirSync(`${dir}/t/${a}/${b}`, { recursive: true });
    }
    const sorted = [...show(["t"], scanOf(c, ["t"], SCAN_DEEP | SCAN_SORTED)).keys()];
    assertEquals(sorted.length, 1 + 6 + 30);
    assertEquals(sorted, sorted.toSorted());
    const some = show(["t", "a"], scanOf(c, ["t", "a"], SCAN_DEEP | SCAN_SORTED, 12));
    assertEquals([...some.keys()], ["t", "t/e"]);
    const order = [...show(["t"], scanOf(c, ["t"], SCAN_DEEP)).keys()];
    for (const [i, path] of order.entries()) {
      const parent = path.slice(0, path.lastIndexOf("/"));
      if (i > 0) assert(parent === order[i - 1] || order[i - 1]!.startsWith(`${parent}/`), path);
    }
    assertEquals(typeof scan(c, 0, ["t"], SCAN_DEEP, 100, 0), "object");
    assertEquals(show(["t"], scan(c, 0, ["t"], SCAN_DEEP, 100, 200)).size, 0);
  });
});

Deno.test("a directory that does not fit is left out, with all behind it", async () => {
  await inTree({}, true, (c, dir) => {
    for (const d of ["t/a", "t/b"]) Deno.mkdirSync(`${dir}/${d}`, { recursive: true });
    for (let i = 0; i < 400; i++) Deno.writeTextFileSync(`${dir}/t/a/${"n".repeat(200)}${i}`, "");
    const paths = ["t/b", "t/a", "t"];
    assertEquals([...show(paths, scan(c, 0, paths, 0, 9999, 65536)).keys()], ["t/b"]);
    assertEquals([...show(paths, scan(c, 0, paths, 0, 9999, 200_000)).keys()], paths);
    assertEquals([...show(paths, scan(c, 0, paths, 0, 1, 200_000)).keys()], ["t/b"]);
  });
});

Deno.test("no path of a scan leads through links, upwards or out", async () => {
  await inTree({}, true, (c, dir) => {
    Deno.symlinkSync("/", `${dir}/a/root`);
    Deno.symlinkSync("b", `${dir}/a/inside`);
    for (const path of ["..", "a/..", "a/../..", ".", "a/.", "/", "a//b", "/etc", "a/", "a\0b"]) {
      assertEquals(scan(c, 0, [path], SCAN_DEEP, 100, 9999), -EINVAL, path);
    }
    const paths = ["a/root", "a/root/etc", "a/inside", "a/b/file", "none", "x".repeat(300), "a"];
    const found = show(paths, scan(c, 0, paths, SCAN_DEEP, 9999, Infinity));
    assertEquals([...found.keys()].sort(), ["a", "a/b"]);
    assertEquals(scan(c, bind(c, "a", "b", "file"), [""], 0, 1, 999), -ENOTDIR);
    assertEquals(scan(c, 4711, [""], 0, 1, 999), -EBADF);
    assertEquals(scan(c, 0, [""], 32, 1, 999), -EINVAL);
    assertEquals([...show([""], scan(c, bind(c, "a"), [""], 0, 1, 9999)).keys()], [""]);
  });
});

Deno.test("a scan enters no other file system by itself", async () => {
  await withServer({ roots: [{ path: "/", isReadOnly: true }] }, {}, (c) => {
    const root = Deno.statSync("/dev").dev;
    const found = show(["dev"], scanOf(c, ["dev"], SCAN_DEEP));
    assert(found.has("dev"));
    for (const path of found.keys()) assertEquals(Deno.statSync(`/${path}`).dev, root, path);
    // It is entered when the request names it.
    assertEquals([...show(["proc/sys"], scanOf(c, ["proc/sys"], 0)).keys()], ["proc/sys"]);
  });
});

Deno.test("a scan reports on request which files have no extended attributes", async () => {
  await inTree({}, true, (c, dir) => {
    Deno.mkdirSync(`${dir}/t`);
    for (const name of ["bare", "marked"]) Deno.writeTextFileSync(`${dir}/t/${name}`, "");
    if (c.setxattr(bind(c, "t", "marked"), "user.a", new Uint8Array(1), 0) < 0) return;
    const reply = scanOf(c, ["t"], SCAN_ATTRS | SCAN_XATTRS), bits = new Map<string, number>();
    const blocks = new ScanBlocks().open(reply.bytes, reply.view, 0, reply.bytes.length);
    blocks.nextBlock();
    while (blocks.nextEntry()) {
      const { valid } = attrAt(reply.bytes, reply.view, blocks.attrAt);
      bits.set(blocks.name.toByteString(), valid & ATTR_NO_XATTRS);
    }
    assertEquals([...bits].sort(), [["bare", ATTR_NO_XATTRS], ["marked", 0]]);
    for (const name of ["bare", "marked"]) {
      assertEquals(c.walkGetattr(0, 0xffffffff, ["t", name]), 2);
      assertEquals(c.walk.at(1).valid & ATTR_NO_XATTRS, 0, "not an executable");
      Deno.chmodSync(`${dir}/t/${name}`, 0o755);
      assertEquals(c.walkGetattr(0, 0xffffffff, ["t", name]), 2);
      assertEquals(c.walk.at(1).valid & ATTR_NO_XATTRS, bits.get(name));
      assertEquals(c.walkGetattr(0, c.fids.take(), ["t", name]), 2);
      assertEquals(c.walk.at(1).valid & ATTR_NO_XATTRS, bits.get(name));
    }
  });
});
