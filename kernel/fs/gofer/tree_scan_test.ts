/**
 * Tests of tree_scan.ts: how many requests it takes to traverse a tree, and that answers that were
 * fetched ahead are never wrong.
 */

import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { chmodAt } from "../../vfs/attributes.ts";
import { mkdirAt } from "../../vfs/create.ts";
import type { Inode } from "../../vfs/inode.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { readlinkAt, statAt } from "../../vfs/status.ts";
import { errno, mustOpen } from "../../vfs/vfs_testing.ts";
import { type GoferLab, type LabOptions, withGofer } from "./gofer_testing.ts";

const NOFOLLOW = 0x100;

/** Makes `dirs` directories in three levels with three files each. */
function plant(host: string, dirs: number): void {
  for (let i = 0; i < dirs; i++) {
    const dir = `${host}/t/${i % 7}/${i % 10}/${i}`;
    Deno.mkdirSync(dir, { recursive: true });
    for (const name of ["x", "y", "z"]) {
      Deno.writeTextFileSync(`${dir}/${name}`, name.repeat(i % 9));
    }
    Deno.symlinkSync("x", `${dir}/link`);
  }
}

async function inForest(
  dirs: number,
  options: LabOptions,
  body: (lab: GoferLab, host: string) => void,
): Promise<void> {
  const host = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "dvisor-gofer-" });
  try {
    plant(host, dirs);
    await withGofer(host, options, (lab) => body(lab, host));
  } finally {
    Deno.removeSync(host, { recursive: true });
  }
}

interface Entry {
  readonly name: string;
  readonly isDir: boolean;
}

function read(lab: GoferLab, path: string): Entry[] {
  const dir = mustOpen(lab.root, path, O_RDONLY), found: Entry[] = [];
  dir.readdir((name, _ino, type) => {
    if (name !== "." && name !== "..") found.push({ name, isDir: type === 4 });
    return true;
  });
  dir.drop();
  return found;
}

function stat(lab: GoferLab, path: string): Inode {
  const inode = statAt(lab.root, AT_FDCWD, path, NOFOLLOW);
  if (typeof inode === "number") throw new Error(`${path}: ${errno(inode)}`);
  return inode;
}

type Visit = (path: string, entries: Entry[]) => void;

/**
 * Walks a tree depth first, in the order of the directory or of names; returns the number of
 * entries.
 */
function walk(lab: GoferLab, path: string, isSorted: boolean, visit: Visit = () => {}): number {
  const entries = read(lab, path);
  if (isSorted) entries.sort((a, b) => a.name < b.name ? -1 : 1);
  visit(path, entries);
  let count = entries.length;
  for (const e of entries) if (e.isDir) count += walk(lab, `${path}/${e.name}`, isSorted, visit);
  return count;
}

/** Visits a directory as `ls -lR` does. */
function look(lab: GoferLab): Visit {
  return (path, entries) => {
    for (const { name } of entries) {
      const inode = stat(lab, `${path}/${name}`);
      if (name === "link") assertEquals(readlinkAt(lab.root, AT_FDCWD, `${path}/${name}`), "x");
      assert(Array.isArray(inode.listxattr()));
    }
  };
}

for (const isSorted of [false, true]) {
  const order = isSorted ? "by name" : "as it lies";
  Deno.test(`a tree is listed with a request for hundreds of directories, ${order}`, async () => {
    await inForest(1000, {}, (lab) => {
      const before = lab.requests;
      assertEquals(walk(lab, "/t", isSorted), 7 + 70 + 1000 + 4000);
      assert(lab.requests - before < 20, `${lab.requests - before} requests`);
      assertEquals(walk(lab, "/t", isSorted), 7 + 70 + 1000 + 4000);
      assert(lab.requests - before < 20, `${lab.requests - before} requests with the second time`);
    });
  });

  Deno.test(`and looked at whole, ${order}`, async () => {
    await inForest(500, {}, (lab) => {
      const before = lab.requests;
      assertEquals(walk(lab, "/t", isSorted, look(lab)), 7 + 70 + 500 + 2000);
      assert(lab.requests - before < 40, `${lab.requests - before} requests`);
    });
  });
}

Deno.test("a missing name in a directory that was read is known without asking", async () => {
  await inForest(10, {}, (lab) => {
    read(lab, "/t");
    const before = lab.requests;
    for (let i = 100; i < 150; i++) {
      assertEquals(errno(statAt(lab.root, AT_FDCWD, `/t/${i}/a/b`, 0)), "ENOENT");
    }
    assertEquals(lab.requests, before);
  });
});

Deno.test("a directory that is searched again and again is fetched", async () => {
  await inForest(10, {}, (lab) => {
    const before = lab.requests;
    for (let i = 100; i < 150; i++) {
      assertEquals(errno(statAt(lab.root, AT_FDCWD, `/t/no${i}.so`, 0)), "ENOENT");
    }
    assert(lab.requests - before < 12, `${lab.requests - before} requests`);
    assertEquals(stat(lab, "/t/3").mode & 0o170000, 0o040000);
  });
});

Deno.test("in shared mode changes of a tree by the host are seen at once", async () => {
  await inForest(30, { isExclusive: false }, (lab, host) => {
    const all = walk(lab, "/t", false, look(lab));
    Deno.writeTextFileSync(`${host}/t/1/1/1/new`, "12345");
    Deno.removeSync(`${host}/t/2/2/2/x`);
    lab.host.nowNs += 1e9;
    assertEquals(stat(lab, "/t/1/1/1/new").size, 5);
    assertEquals(errno(statAt(lab.root, AT_FDCWD, "/t/2/2/2/x", 0)), "ENOENT");
    assertEquals(walk(lab, "/t", false), all);
  });
});

/** Compares the tree with the host's. */
function compare(lab: GoferLab, host: string, path: string): void {
  const ours = read(lab, path).map((e) => e.name).sort();
  const theirs = [...Deno.readDirSync(`${host}${path}`)].map((e) => e.name).sort();
  assertEquals(ours, theirs, path);
  for (const name of ours) {
    const at = `${path}/${name}`, inode = stat(lab, at), there = Deno.lstatSync(`${host}${at}`);
    const seen = [inode.ino, inode.mode, inode.nlink];
    assertEquals(seen, [there.ino, there.mode, there.nlink], at);
    if (!there.isDirectory) assertEquals(inode.size, there.size, at);
  }
}

Deno.test("a walk through a tree that the Sentry changes sees no stale state", async () => {
  let x = 20261125;
  const random = (below: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
  await inForest(70, {}, (lab, host) => {
    const anywhere = (): string => {
      const i = random(70), depth = random(4);
      return ["/t", `${i % 7}`, `${i % 10}`, `${i}`].slice(0, depth + 1).join("/");
    };
    for (let round = 0; round < 600; round++) {
      const dir = anywhere(), name = "xyzpq"[random(5)]!, path = `${dir}/${name}`;
      switch (random(9)) {
        case 0:
          unlinkAt(lab.root, AT_FDCWD, path);
          break;
        case 1:
          renameAt(lab.root, AT_FDCWD, path, AT_FDCWD, `${anywhere()}/${name}`, 0);
          break;
        case 2:
          mkdirAt(lab.root, AT_FDCWD, path, 0o755);
          break;
        case 3:
          chmodAt(lab.root, AT_FDCWD, random(2) === 0 ? dir : path, 0o700 + random(64), 0);
          break;
        case 4: {
          if (typeof statAt(lab.root, AT_FDCWD, dir, 0) === "number") break;
          const there = statAt(lab.root, AT_FDCWD, path, 0);
          if (typeof there !== "number" && (there.mode & 0o170000) !== 0o100000) break;
          const file = mustOpen(lab.root, path, O_RDWR | O_CREAT);
          lab.write(file, random(9), new Uint8Array(1 + random(9)));
          file.drop();
          break;
        }
        case 5:
          walk(lab, "/t", random(2) === 0);
          break;
        case 6:
          walk(lab, "/t", false, look(lab));
          break;
        default:
          if (typeof statAt(lab.root, AT_FDCWD, dir, 0) !== "number") compare(lab, host, dir);
      }
    }
    walk(lab, "/t", false, (path) => compare(lab, host, path));
  });
});
