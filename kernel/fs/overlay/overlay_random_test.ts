import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { Exerciser, type ExerciserOptions, Random } from "../../vfs/exerciser_testing.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import { type FileDriver, VfsDriver } from "../../vfs/file_driver_testing.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import { findAt } from "../../vfs/status.ts";
import { TestCaller, TestFiles } from "../../vfs/vfs_testing.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { memoryOverlay } from "./memory_overlay.ts";

const DIRS = ["t1", "t1/t2", "t1/t2/t3", "t1/t2/t3/t4"];

function callerOn(namespace: MountNamespace): TestCaller {
  const at = namespace.rootPath();
  const fs = new FsContext(namespace, at, at, 0o022);
  return new TestCaller(new FdTable(), fs, rootCredentials());
}

function enter(c: TestCaller): void {
  const cwd = findAt(c, AT_FDCWD, "/t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  c.fs.setCwd(cwd);
}

/** The same tree in every driver, before the exercise: half of it ends up in the lower layer. */
function populate(d: FileDriver, seed: number): void {
  const r = new Random(seed), names = ["a", "b", "c", "d", "e"];
  for (let i = 0; i < 60; i++) {
    const path = [r.pick(names), r.pick(names), r.pick(names)].slice(0, 1 + r.below(3)).join("/");
    switch (r.below(6)) {
      case 0:
      case 1:
        d.mkdir(path, r.pick([0o755, 0o777, 0o700]));
        break;
      case 2:
        d.symlink(r.pick(names), path);
        break;
      case 3:
        d.link(path, `${r.pick(names)}/${r.pick(names)}`, 0);
        break;
      case 4:
        d.setxattr(path, "user.x", "lower", 0);
        break;
      default: {
        const h = d.open(path, 0o102, r.pick([0o644, 0o4755]));
        if (typeof h !== "number") break;
        d.pwrite(h, r.below(9000), "lower".repeat(r.below(2000)));
        d.close(h);
      }
    }
    d.chown(path, r.pick([0, 1000]), 0, 0x100);
  }
}

/** An overlay over a tree made in a tmpfs, and what there was in it. */
function overlayDriver(seed: number): { driver: VfsDriver; lower: VfsDriver } {
  const t = new TestFiles(), c = t.root;
  for (const d of DIRS) mkdirAt(c, AT_FDCWD, d, 0o777);
  enter(c);
  const lower = new VfsDriver("lower", c);
  populate(lower, seed);
  const overlay = memoryOverlay(t.tmpfs.root, t.frames, t.host, "");
  const onTop = callerOn(MountNamespace.of(t.vfs, overlay, 0, "overlay"));
  enter(onTop);
  // Inodes come and go all the time.
  if (seed % 2 === 0) t.vfs.dentries.maxUnused = 8;
  return { driver: new VfsDriver("overlay", onTop), lower };
}

function tmpfsDriver(seed: number): VfsDriver {
  const t = new TestFiles(), c = t.root;
  for (const d of DIRS) mkdirAt(c, AT_FDCWD, d, 0o777);
  enter(c);
  const d = new VfsDriver("tmpfs", c);
  populate(d, seed);
  return d;
}

function snapshot(d: FileDriver, dir = "."): string {
  let text = "";
  for (const item of `${d.list(dir)}`.split(" ")) {
    const [name, type] = item.split(":");
    if (name === "." || name === "..") continue;
    const path = `${dir}/${name}`;
    text += `${path} ${d.stat(path, 0x100)} ${d.listxattr(path)}\n`;
    if (type === "4") text += snapshot(d, path);
  }
  return text;
}

for (const users of [false, true]) {
  const who = users ? ", as several users" : "";
  Deno.test(`random calls on an overlay give what a tmpfs gives${who}`, () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { driver, lower } = overlayDriver(seed);
      const before = snapshot(lower);
      const model = tmpfsDriver(seed), drivers: FileDriver[] = [driver, model];
      const options: ExerciserOptions = {
        seed,
        calls: 2500,
        users,
        acls: true,
        renameFlags: [0, 0, 0, 1, 2, 3, 8],
        fallocateModes: [0, 1, 3, 2, 0x10, 8, 0x20, 0x200],
        devices: [0x103],
      };
      new Exerciser(drivers, options).run();
      lower.setUser(0);
      assertEquals(snapshot(lower), before, "the lower layer changed");
      driver.destroy();
      model.destroy();
    }
  });
}
