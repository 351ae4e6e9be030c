/**
 * Overlays over layers as images have them: whiteouts, opaque directories, files where others have
 * directories, and attributes of overlayfs that an image must not gain anything by. The tree is
 * what a plain reading of the layers gives; random calls on it answer as on a tmpfs with that tree;
 * the layers stay as they are. (Mounts of overlays by users are in the target `kernel`.)
 */

import { S_IFCHR } from "../../ffi/abi/stat.ts";
import { TEST_ACCOUNT } from "../../kernel/core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { memoryOverlay } from "../../kernel/fs/overlay/memory_overlay.ts";
import { OverlayFs } from "../../kernel/fs/overlay/overlay_fs.ts";
import { callerOn, DIRS, enterDeepDirectory } from "../../kernel/fs/overlay/overlay_testing.ts";
import { TmpfsFs } from "../../kernel/fs/tmpfs/tmpfs.ts";
import { Exerciser } from "../../kernel/vfs/exerciser_testing.ts";
import { type FileDriver, VfsDriver } from "../../kernel/vfs/file_driver_testing.ts";
import { mkdirAt } from "../../kernel/vfs/create.ts";
import type { FileSystem, Inode } from "../../kernel/vfs/inode.ts";
import { MountNamespace } from "../../kernel/vfs/mounts.ts";
import { TestFiles } from "../../kernel/vfs/vfs_testing.ts";
import { ROOT } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";

const LAYERS_MAX = 5, ENTRIES_MAX = 25, CALLS = 300;
const NAMES = ["a", "b", "c", "d", "e"];
const O_CREAT_RDWR = 0o102, NO_FOLLOW = 0x100;
const OPAQUE = "trusted.overlay.opaque", VISIBLE = "user.x";

interface Mark {
  readonly name: string;
  readonly value: string;
}
const MARKS: readonly Mark[] = Deno.readTextFileSync(
  `${ROOT}/tests/fuzz/corpus/overlay/marks.txt`,
).split("\n").filter((line) => line !== "").map((line) => {
  const at = line.indexOf(" ");
  return { name: line.slice(0, at), value: line.slice(at + 1) };
});

interface Entry {
  readonly kind: "directory" | "file" | "link" | "whiteout";
  readonly mode: number;
  readonly uid: number;
  /** Content of a file, target of a link. */
  readonly text: string;
  readonly marks: readonly Mark[];
}

/** Path to entry; directories come before what is in them. */
type Layer = Map<string, Entry>;

function drawEntry(random: Random, kind: Entry["kind"]): Entry {
  const modes = kind === "directory" ? [0o755, 0o777, 0o700] : [0o644, 0o600, 0o4755];
  const marks = Array.from({ length: random.pick([0, 0, 1, 2]) }, () => random.pick(MARKS));
  if (random.below(4) === 0) marks.push({ name: VISIBLE, value: `${random.below(9)}` });
  const text = kind === "link" ? random.pick(NAMES) : "t".repeat(random.below(6000));
  const isMarked = kind === "directory" || kind === "file";
  const uid = random.pick([0, 1000]), mode = random.pick(modes);
  return { kind, mode, uid, text, marks: isMarked ? marks : [] };
}

function drawLayer(random: Random): Layer {
  const layer: Layer = new Map();
  for (let n = random.below(ENTRIES_MAX); n > 0; n--) {
    const names = Array.from({ length: 1 + random.below(3) }, () => random.pick(NAMES));
    const parents = names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join("/"));
    const path = names.join("/");
    if (layer.has(path)) continue;
    if (parents.some((at) => (layer.get(at)?.kind ?? "directory") !== "directory")) continue;
    for (const at of parents) if (!layer.has(at)) layer.set(at, drawEntry(random, "directory"));
    const kinds = ["directory", "file", "file", "link", "whiteout", "whiteout"] as const;
    layer.set(path, drawEntry(random, random.pick(kinds)));
  }
  return layer;
}

function isOpaque({ marks }: Entry): boolean {
  return marks.findLast(({ name }) => name === OPAQUE)?.value === "y";
}

/** What the layers show together; the topmost is the last. */
function flatten(layers: readonly Layer[]): Layer {
  const tree: Layer = new Map();
  for (const layer of layers) {
    for (const [path, entry] of layer) {
      const isMerged = entry.kind === "directory" && !isOpaque(entry) &&
        tree.get(path)?.kind === "directory";
      if (!isMerged) {
        for (const at of [...tree.keys()]) {
          if (at === path || at.startsWith(`${path}/`)) tree.delete(at);
        }
      }
      if (entry.kind === "whiteout") continue;
      const marks = entry.marks.filter(({ name }) => name === VISIBLE);
      tree.set(path, { ...entry, marks });
    }
  }
  return tree;
}

function make(driver: FileDriver, layer: Layer): void {
  for (const [path, { kind, mode, uid, text, marks }] of layer) {
    if (kind === "directory") driver.mkdir(path, mode);
    else if (kind === "link") driver.symlink(text, path);
    else if (kind === "whiteout") driver.mknod(path, S_IFCHR, 0);
    else {
      const handle = driver.open(path, O_CREAT_RDWR, mode);
      if (typeof handle !== "number") throw new Error(`${path}: ${handle}`);
      driver.pwrite(handle, 0, text);
      driver.close(handle);
    }
    driver.chown(path, uid, 0, NO_FOLLOW);
    if (kind === "directory" || kind === "file") driver.chmod(path, mode);
    for (const { name, value } of marks) driver.setxattr(path, name, value, 0);
  }
}

/** A file system with the directories that the exerciser works in, and its driver there. */
function driverOn(t: TestFiles, name: string, fs: FileSystem): VfsDriver {
  const caller = callerOn(MountNamespace.of(TEST_ACCOUNT, t.vfs, fs, 0, name));
  for (const dir of DIRS) mkdirAt(caller, AT_FDCWD, `/${dir}`, 0o777);
  enterDeepDirectory(caller);
  return new VfsDriver(name, caller);
}

function newTmpfs(t: TestFiles): TmpfsFs {
  return new TmpfsFs(TEST_ACCOUNT, t.frames, t.vfs, { mode: 0o755 });
}

/** All layers as one tree, as `mount -t overlay` makes it. */
function stacked(t: TestFiles, layers: readonly TmpfsFs[]): Inode {
  const [bottom, ...others] = layers, { account, frames, vfs: { devices } } = t;
  let lower: Inode = bottom!.root;
  for (const layer of others) {
    const text = "", owned = null, stackDepth = 0;
    const fs = new OverlayFs(lower, layer.root, {
      devices,
      isPersistent: true,
      account,
      text,
      frames,
      owned,
      stackDepth,
      pinned: [],
    });
    fs.readOnly = true;
    lower = fs.root;
  }
  return lower;
}

function snapshot(driver: FileDriver, dir: string = "."): string {
  let text = "";
  for (const item of `${driver.list(dir)}`.split(" ")) {
    const [name, type] = item.split(":");
    if (name === "." || name === ".." || name === "") continue;
    const path = `${dir}/${name}`;
    text += `${path} ${driver.stat(path, NO_FOLLOW)} ${driver.listxattr(path)}\n`;
    if (type === "4") text += snapshot(driver, path);
  }
  return text;
}

function runOverlay(random: Random): void {
  const layers = Array.from({ length: 1 + random.below(LAYERS_MAX) }, () => drawLayer(random));
  const t = new TestFiles(), bases = layers.map(() => newTmpfs(t));
  const drivers = bases.map((fs, i) => driverOn(t, `layer${i}`, fs));
  drivers.forEach((driver, i) => make(driver, layers[i]!));
  const before = drivers.map((driver) => snapshot(driver));
  const fs = memoryOverlay(TEST_ACCOUNT, stacked(t, bases), t.frames, t.vfs, "");
  const overlay = driverOn(t, "overlay", fs), model = driverOn(t, "tmpfs", newTmpfs(t));
  make(model, flatten(layers));
  assertEquals(snapshot(overlay), snapshot(model), "the tree of the layers");
  if (random.below(2) === 0) t.vfs.dentries.maxUnused = 8;
  new Exerciser([overlay, model], {
    seed: random.below(2 ** 31),
    calls: CALLS,
    users: random.below(2) === 0,
    acls: true,
    renameFlags: [0, 0, 0, 1, 2],
    fallocateModes: [0, 1, 3],
    devices: [0x103],
  }).run();
  for (const driver of drivers) driver.setUser(0);
  assertEquals(drivers.map((driver) => snapshot(driver)), before, "a layer has changed");
  for (const driver of [overlay, model, ...drivers]) driver.destroy();
}

Deno.test("an overlay shows and keeps the layers of hostile images", async () => {
  await runCases("overlay", { ci: 150, full: 5000 }, runOverlay);
});
