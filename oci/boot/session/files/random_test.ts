/**
 * Random changes of a guest beside requests about files: requests end and leave nothing open,
 * `diff` agrees with a comparison of both trees, and a recursive watch knows every directory.
 */

import { assertEquals } from "@std/assert";
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CREAT,
  O_NONBLOCK,
  O_TRUNC,
  O_WRONLY,
  RENAME_EXCHANGE,
} from "../../../../ffi/abi/fcntl.ts";
import { INODE_WATCHES, OPEN_FILES } from "../../../../kernel/core/quota.ts";
import { isDirectory, isRegular } from "../../../../kernel/vfs/access.ts";
import { chmodAt } from "../../../../kernel/vfs/attributes.ts";
import { linkAt, mkdirAt, symlinkAt } from "../../../../kernel/vfs/create.ts";
import { Random } from "../../../../kernel/vfs/exerciser_testing.ts";
import { openAt } from "../../../../kernel/vfs/open.ts";
import { rmdirAt, unlinkAt } from "../../../../kernel/vfs/remove.ts";
import { renameAt } from "../../../../kernel/vfs/rename.ts";
import { statAt } from "../../../../kernel/vfs/status.ts";
import { BufferCursor, listDir, readText, writeText } from "../../../../kernel/vfs/vfs_testing.ts";
import type { Change, WatchEvent } from "../../../protocol/session/messages.ts";
import { UserError } from "../../../user_error.ts";
import { FilesLab } from "./files_testing.ts";
import { FILE_OPS } from "./open_file_channel.ts";

const NAMES = ["a", "b", "c", "\xff"];
const LOWER = {
  "/w/": "",
  "/w/a/": "",
  "/w/a/a/": "",
  "/w/a/a/b": "deep",
  "/w/a/b": "file",
  "/w/b/": "",
  "/w/b/a/": "",
  "/w/b/b/": "",
  "/w/c": "c",
};

function randomPath(r: Random): string {
  return ["/w", ...Array.from({ length: 1 + r.below(3) }, () => r.pick(NAMES))].join("/");
}

/** One call of the guest, which may fail. */
function change(lab: FilesLab, r: Random): void {
  const { root } = lab, path = randomPath(r), other = randomPath(r);
  switch (r.below(9)) {
    case 0:
    case 1:
      mkdirAt(root, AT_FDCWD, path, r.pick([0o755, 0o700]));
      break;
    case 2: {
      const flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK;
      const file = openAt(root, AT_FDCWD, path, flags, 0o644);
      if (typeof file === "number") break;
      file.write(new BufferCursor(new Uint8Array([0x30 + r.below(10)])), 0);
      file.drop();
      break;
    }
    case 3:
      unlinkAt(root, AT_FDCWD, path);
      break;
    case 4:
      rmdirAt(root, AT_FDCWD, path);
      break;
    case 5:
      renameAt(root, AT_FDCWD, path, AT_FDCWD, other, r.chance(20) ? RENAME_EXCHANGE : 0);
      break;
    case 6:
      symlinkAt(root, r.pick(NAMES), AT_FDCWD, path);
      break;
    case 7:
      linkAt(root, AT_FDCWD, path, AT_FDCWD, other, 0);
      break;
    default:
      chmodAt(root, AT_FDCWD, path, r.pick([0o755, 0o700]), 0);
  }
}

/** What there is below "/w", by path: type, mode and text. */
function treeOf(lab: FilesLab): Map<string, string> {
  const found = new Map<string, string>(), ahead = ["/w"];
  for (let dir = ahead.pop(); dir !== undefined; dir = ahead.pop()) {
    for (const name of listDir(lab.root, dir)) {
      const path = `${dir}/${name}`, inode = statAt(lab.root, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW);
      if (typeof inode === "number") throw new Error(`${path}: ${inode}`);
      const text = isRegular(inode) ? readText(lab.root, path) : `${inode.readlink()}`;
      found.set(path, `${inode.mode} ${text}`);
      if (isDirectory(inode)) ahead.push(path);
    }
  }
  return found;
}

function directoriesOf(lab: FilesLab): string[] {
  const isDir = (value: string) => (Number(value.split(" ")[0]) & 0o170000) === 0o040000;
  return ["/w", ...[...treeOf(lab)].filter(([, value]) => isDir(value)).map(([path]) => path)];
}

function byText(path: string): string {
  return path.replaceAll("\xff", "\udcff");
}

function checkDiff(lab: FilesLab, before: Map<string, string>, seed: number): void {
  const now = treeOf(lab), { events } = lab.do("diff", {});
  const changes = events.flatMap((event) => "changes" in event ? event.changes as Change[] : []);
  const paths = (kind: Change["kind"]) =>
    new Set(changes.filter((c) => c.kind === kind && c.path.startsWith("/w/")).map((c) => c.path));
  const added = paths("added"), removed = paths("removed"), modified = paths("modified");
  const isIn = (tree: Map<string, string>) => new Set([...tree.keys()].map(byText));
  const wasThere = isIn(before), isThere = isIn(now), where = `seed ${seed}`;
  assertEquals(added.symmetricDifference(isThere.difference(wasThere)).size, 0, where);
  for (const path of modified) assertEquals(wasThere.has(path) && isThere.has(path), true, where);
  for (const path of removed) assertEquals(wasThere.has(path) && !isThere.has(path), true, where);
  for (const path of wasThere.difference(isThere)) {
    const isKnown = [...removed, ...modified].some((p) => path === p || path.startsWith(`${p}/`));
    assertEquals(isKnown, true, `${where}: ${path} is gone`);
  }
  for (const [path, value] of before) {
    const isOther = now.has(path) && now.get(path) !== value;
    if (isOther) assertEquals(modified.has(byText(path)), true, `${where}: ${path} is modified`);
  }
}

Deno.test("diff agrees with a comparison of both trees", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const lab = new FilesLab(LOWER), r = new Random(seed), before = treeOf(lab);
    for (let round = 0; round < 10; round++) {
      for (let i = r.below(30); i >= 0; i--) change(lab, r);
      checkDiff(lab, before, seed);
    }
    lab.close();
  }
});

Deno.test("a recursive watch knows each directory and its path", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const lab = new FilesLab(seed % 2 === 0 ? LOWER : undefined), r = new Random(seed);
    mkdirAt(lab.root, AT_FDCWD, "/w", 0o755);
    const watch = lab.open("watch", { path: "/w", recursive: true });
    for (let round = 0; round < 10; round++) {
      for (let i = r.below(30); i >= 0; i--) {
        change(lab, r);
        if (r.chance(20)) lab.kernel.vfs.deferred.step();
      }
      lab.settle();
      watch.events.length = 0;
      const dirs = directoriesOf(lab);
      for (const dir of dirs) {
        writeText(lab.root, `${dir}/probe`, "");
        unlinkAt(lab.root, AT_FDCWD, `${dir}/probe`);
      }
      lab.settle();
      const events = watch.events as WatchEvent[];
      const probed = events.filter(({ kind }) => kind === "create").map(({ path }) => path);
      assertEquals(probed, dirs.map((dir) => `${byText(dir)}/probe`), `seed ${seed}`);
      assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), dirs.length, `seed ${seed}`);
    }
    lab.close();
  }
});

const VALUES: readonly unknown[] = [
  ...["/w", "/w/a", "/w/a/b/", "/", "//w//c", "/w/\udcff", "/proc", "/w/a/../..", "rel", "", "/\0"],
  ...[0, 1, -1, 0o644, 2 ** 53, 1.5, true, false, null, {}, [], { uid: 5, gid: 5 }, "nobody"],
];
const MEMBERS = [
  ...["path", "from", "to", "target", "mode", "recursive", "offset", "length", "append"],
  ...["createNew", "follow", "user"],
];

/** A request of which most have what they need. */
function randomMembers(r: Random): object {
  const members: [string, unknown][] = ["path", "from", "to", "target"].map((name) => {
    return [name, byText(randomPath(r))];
  });
  if (r.chance(50)) members.push(["recursive", r.chance(50)], ["mode", r.below(0o1000)]);
  for (let i = r.below(3); i > 0; i--) members.push([r.pick(MEMBERS), r.pick(VALUES)]);
  return Object.fromEntries(members);
}

Deno.test("random requests end, whatever their members are and the guest does", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const lab = new FilesLab(seed % 2 === 0 ? LOWER : undefined), r = new Random(seed);
    mkdirAt(lab.root, AT_FDCWD, "/w", 0o755);
    const files = OPEN_FILES.countOf(lab.kernel.accounts.root);
    const open: ReturnType<FilesLab["open"]>[] = [], answered: typeof open = [];
    for (let i = 0; i < 300; i++) {
      if (r.chance(60)) change(lab, r);
      if (r.chance(30)) lab.kernel.vfs.deferred.step();
      try {
        const op = r.pick(FILE_OPS), port = lab.open(op, randomMembers(r));
        (op === "watch" ? open : answered).push(port);
      } catch (error) {
        if (!(error instanceof UserError)) throw new Error(`seed ${seed}`, { cause: error });
      }
      const port = r.pick(r.chance(30) ? open : answered);
      if (r.chance(20)) port?.send(new Uint8Array(r.below(3000)));
      if (r.chance(10)) port?.channel?.onEnd(0);
      if (r.chance(5)) port?.channel?.onControl({ close: true });
      if (r.chance(5)) port?.leave();
    }
    for (const port of answered) port.channel?.onEnd(0);
    lab.settle();
    for (const port of answered) {
      assertEquals(port.outcome !== null || port.isGone, true, `seed ${seed}`);
    }
    for (const port of open) port.channel?.onGone();
    lab.settle();
    assertEquals(OPEN_FILES.countOf(lab.kernel.accounts.root), files, `seed ${seed}`);
    assertEquals(INODE_WATCHES.countOf(lab.kernel.accounts.root), 0, `seed ${seed}`);
    lab.close();
  }
});
