/** Roots of which clients see a part (backend/visible_part.ts), and a client that tries all. */

import { assert, assertEquals } from "@std/assert";
import { EACCES, EEXIST, ENODATA, ENOENT, EROFS } from "../../ffi/abi/errno.ts";
import { O_RDONLY, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { close, pread } from "../../ffi/sys/files.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { type GoferClient, NOFID, STOP_ERROR } from "../client/gofer_client.ts";
import { list, LIST_ALL, LIST_DIRS, nextEntry } from "../client/listing.ts";
import { scan, SCAN_ATTRS, SCAN_DEEP } from "../client/scan.ts";
import { bind, entriesOf } from "./tree_testing.ts";
import { withServer } from "./testing.ts";

/** The tree: mode, path and, for files, content. */
const TREE: readonly (readonly [mode: number, path: string, content?: string])[] = [
  [0o755, "etc"],
  [0o644, "etc/passwd", "open"],
  [0o640, "etc/shadow", "secret"],
  [0o700, "root"],
  [0o644, "root/key", "secret"],
  [0o755, "root/project"],
  [0o700, "root/project/app"],
  [0o600, "root/project/app/env", "mine"],
  [0o644, "root/project/other", "secret"],
  [0o755, "home"],
  [0o755, "home/ann"],
  [0o644, "home/ann/diary", "secret"],
  [0o711, "spool"],
  [0o644, "spool/known", "open"],
  [0o4755, "etc/su", "program"],
  [0o4711, "etc/sudo", "secret program"],
];

async function inTree(
  part: { isPublic?: boolean; isReadOnly?: boolean; shown?: string[]; hidden?: string[] },
  body: (c: GoferClient, dir: string) => void,
  offersExtension = true,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-part-" });
  try {
    for (const [, path, content] of TREE) {
      if (content === undefined) Deno.mkdirSync(`${dir}/${path}`);
      else Deno.writeTextFileSync(`${dir}/${path}`, content);
    }
    Deno.linkSync(`${dir}/etc/shadow`, `${dir}/etc/linked`);
    Deno.linkSync(`${dir}/home/ann/diary`, `${dir}/etc/linked-diary`);
    for (const [mode, path] of TREE) Deno.chmodSync(`${dir}/${path}`, mode);
    Deno.chmodSync(dir, 0o755);
    const roots = [{ path: dir, isReadOnly: true, ...part }];
    const report = await withServer({ roots }, { offersExtension }, (c) => body(c, dir));
    assertEquals(report, "");
  } finally {
    Deno.chmodSync(`${dir}/root`, 0o700);
    Deno.removeSync(dir, { recursive: true });
  }
}

const PUBLIC = { isPublic: true, hidden: ["home"], shown: ["root/project/app"] };
const buffer = allocBuffer(64);

function bytesOf(fd: number): string {
  const n = pread(fd, addressOf(buffer), 64, 0);
  close(fd);
  return new TextDecoder().decode(buffer.slice(0, n));
}

/** The content of a file, or the error of finding or opening it. */
function read(c: GoferClient, path: string): string | number {
  const names = path.split("/"), n = c.walkGetattr(0, NOFID, names, 0, O_RDONLY);
  if (n < 0) return n;
  if (c.walk.stop === STOP_ERROR) return -c.walk.ecode;
  if (c.walk.openEcode !== 0) return -c.walk.openEcode;
  return bytesOf(c.takeFd());
}

function listed(c: GoferClient, path: string, attrs = LIST_DIRS): string[] {
  const fid = bind(c, ...(path === "" ? [] : path.split("/")));
  assertEquals(list(c, fid, 0, 0, attrs), 1);
  const names: string[] = [];
  while (nextEntry(c)) names.push(c.entries.name.toByteString());
  return names.filter((name) => !name.startsWith(".")).sort();
}

Deno.test("a file that others may not read is there and empty, by every name", async () => {
  await inTree(PUBLIC, (c) => {
    assertEquals(read(c, "etc/passwd"), "open");
    assertEquals([read(c, "etc/su"), read(c, "etc/sudo")], ["program", ""]);
    // Nor can a program be executed of which nothing is there.
    assertEquals(c.walkGetattr(0, NOFID, ["etc", "sudo"]), 2);
    assertEquals([c.walk.at(1).size, c.walk.at(1).mode & 0o7777], [0, 0o4600]);
    assertEquals([read(c, "etc/shadow"), read(c, "etc/linked")], ["", ""]);
    assertEquals(c.walkGetattr(0, NOFID, ["etc", "shadow"]), 2);
    assertEquals([c.walk.at(1).size, c.walk.at(1).mode & 0o777], [0, 0o640]);
    const fid = bind(c, "etc", "shadow");
    assertEquals([c.getattr(fid), c.attr.size], [0, 0]);
    assertEquals(bytesOf(c.openFd(fid, O_RDONLY)), "");
    assertEquals(c.openFd(fid, O_RDWR), -EROFS);
    assertEquals(c.lopen(fid, O_RDONLY), 0);
    assertEquals(c.read(fid, 0, 10), 0);
    assertEquals(c.getxattr(bind(c, "etc", "shadow"), "user.x", 100), -ENODATA);
    assertEquals(listed(c, "etc", LIST_ALL), [
      "linked",
      "linked-diary",
      "passwd",
      "shadow",
      "su",
      "sudo",
    ]);
  });
});

Deno.test("a directory that others may not enter has the way to a shown one alone", async () => {
  await inTree(PUBLIC, (c) => {
    assertEquals([read(c, "root/key"), read(c, "root/project/other")], [-ENOENT, -ENOENT]);
    assertEquals([listed(c, "root"), listed(c, "root/project")], [["project"], ["app"]]);
    assertEquals(listed(c, "root/project/app"), ["env"]);
    assertEquals(read(c, "root/project/app/env"), "mine");
    assertEquals([listed(c, "home"), read(c, "home/ann/diary")], [[], -ENOENT]);
    assertEquals([listed(c, "spool"), read(c, "spool/known")], [[], "open"]);
    assertEquals(listed(c, ""), ["etc", "home", "root", "spool"]);
  });
});

Deno.test("from a fid inside, nothing leads to what is not shown", async () => {
  await inTree(PUBLIC, (c) => {
    const work = bind(c, "root", "project"), app = bind(c, "root", "project", "app");
    assertEquals(c.walkGetattr(work, NOFID, ["other"]), 0);
    assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, ENOENT]);
    assert(c.walkGetattr(app, c.fids.take(), [".."]) <= 0 && c.walk.stop === STOP_ERROR);
    // Changes are refused, so no name can be moved to a place that is seen.
    assertEquals(c.rename(work, "other", bind(c, "etc"), "other"), -EROFS);
    assertEquals(c.link(bind(c, "etc"), bind(c, "etc", "shadow"), "mine"), -EROFS);
  });
});

/** Bytes of a scan's blocks, which must not have names that are not shown. */
function scanned(
  c: GoferClient,
  paths: string[],
  flags: number,
  unseen: readonly string[] = ["key", "other", "diary"],
): number {
  const reply = scan(c, 0, paths, flags, 1000, 60000);
  if (typeof reply === "number") return reply;
  const text = new TextDecoder("latin1").decode(reply.bytes);
  for (const name of unseen) assert(!text.includes(`\0${name}`), name);
  return reply.bytes.length;
}

Deno.test("a scan leaves out what is not listed, and finds what is shown", async () => {
  await inTree(PUBLIC, (c) => {
    assertEquals(scanned(c, ["root", "root/project", "home", "home/ann", "spool"], SCAN_ATTRS), 0);
    assert(scanned(c, [""], SCAN_ATTRS | SCAN_DEEP) > 0);
    assert(scanned(c, ["root/project/app"], SCAN_ATTRS | SCAN_DEEP) > 0);
  });
});

Deno.test("hidden paths leave the rest as it is, and a shown one in them is seen", async () => {
  await inTree({ hidden: ["root", "home/ann/diary"], shown: ["root/key"] }, (c) => {
    assertEquals([read(c, "etc/shadow"), read(c, "root/key")], ["secret", "secret"]);
    assertEquals([listed(c, "root"), read(c, "root/project/other")], [["key"], -ENOENT]);
    // By its other name too.
    assertEquals([read(c, "home/ann/diary"), read(c, "etc/linked-diary")], ["", ""]);
    assertEquals(listed(c, "home/ann"), ["diary"]);
  });
});

Deno.test("a file with a hidden and a shown name is hidden by both", async () => {
  const part = { isPublic: true, hidden: ["home/ann/diary"], shown: ["etc/linked-diary", "home"] };
  await inTree(part, (c) => {
    assertEquals([read(c, "home/ann/diary"), read(c, "etc/linked-diary")], ["", ""]);
  });
});

Deno.test("in a root that clients write, nothing is read or made in what is hidden", async () => {
  await inTree({ isReadOnly: false, hidden: ["home", "etc/passwd"] }, (c, dir) => {
    assertEquals([listed(c, "home"), read(c, "home/ann/diary")], [[], -ENOENT]);
    const home = bind(c, "home"), passwd = bind(c, "etc", "passwd");
    assertEquals(c.mkdir(home, NOFID, "x", 0o700, 0, 0), -EROFS);
    assertEquals(c.rename(bind(c, "etc"), "su", home, "su"), -EROFS);
    assertEquals([c.openFd(passwd, O_RDWR), read(c, "etc/passwd")], [-EROFS, ""]);
    assertEquals(c.setxattr(passwd, "user.x", new Uint8Array(1), 0), -EROFS);
    assertEquals(c.mkdir(bind(c, "spool"), NOFID, "new", 0o700, 0, 0), 0);
    assertEquals(Deno.statSync(`${dir}/spool/new`).isDirectory, true);
    // The older create opens what is there.
    assertEquals(c.create(bind(c, "etc"), c.fids.take(), "passwd", O_RDWR, 0o600, 0, 0), -EEXIST);
  });
});

Deno.test("the base protocol shows no more", async () => {
  await inTree(PUBLIC, (c) => {
    assertEquals(entriesOf(c, bind(c, "root"), 4096), []);
    assertEquals(entriesOf(c, bind(c, "home"), 4096), []);
    const shadow = bind(c, "etc", "shadow");
    assertEquals([c.lopen(shadow, O_RDONLY), c.read(shadow, 0, 10)], [0, 0]);
    assertEquals(c.walkGetattr(0, c.fids.take(), ["root", "key"]), 1);
    assertEquals([c.walk.stop, c.walk.ecode], [STOP_ERROR, ENOENT]);
    const app = bind(c, "root", "project", "app"), up = c.fids.take();
    const r = c.walkGetattr(app, up, [".."]);
    assert(r === -EACCES || (r === 0 && c.walk.ecode === EACCES));
  }, false);
});

Deno.test("what the host puts in the place of a hidden file is hidden too", async () => {
  const hidden = ["etc/passwd", "spool", "root/project/app/env", "etc/later/token"];
  const part = { isPublic: true, hidden };
  await inTree({ ...part, shown: ["root/project"] }, (c, dir) => {
    Deno.writeTextFileSync(`${dir}/etc/new`, "secret");
    Deno.renameSync(`${dir}/etc/new`, `${dir}/etc/passwd`);
    Deno.renameSync(`${dir}/spool`, `${dir}/home/spool`);
    Deno.mkdirSync(`${dir}/spool/key`, { recursive: true });
    // A directory above it too.
    Deno.renameSync(`${dir}/root/project/app`, `${dir}/root/project/old`);
    Deno.mkdirSync(`${dir}/root/project/app`);
    Deno.writeTextFileSync(`${dir}/root/project/app/env`, "secret");
    for (const from of ["", "etc"]) {
      const fid = bind(c, ...(from === "" ? [] : [from]));
      const names = from === "" ? ["etc", "passwd"] : ["passwd"];
      assertEquals(c.walkGetattr(fid, NOFID, names, 0, O_RDONLY), names.length);
      assertEquals([c.walk.at(names.length - 1).size, bytesOf(c.takeFd())], [0, ""]);
    }
    assertEquals([read(c, "root/project/app/env"), read(c, "root/project/old/env")], ["", ""]);
    assertEquals([listed(c, "spool"), listed(c, "home/spool")], [[], []]);
    // So is what was not there at the start.
    Deno.mkdirSync(`${dir}/etc/later`);
    Deno.writeTextFileSync(`${dir}/etc/later/token`, "secret");
    assertEquals(read(c, "etc/later/token"), "");
    assert(scanned(c, [""], SCAN_ATTRS | SCAN_DEEP, ["key"]) > 0);
    assertEquals(scanned(c, ["spool"], SCAN_ATTRS), 0);
  });
});
