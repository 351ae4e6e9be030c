/** Compares an overlay with a tmpfs under random calls (vfs/exerciser_testing.ts). */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { Exerciser, type ExerciserOptions } from "../../vfs/exerciser_testing.ts";
import { type FileDriver, VfsDriver } from "../../vfs/file_driver_testing.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import { TestFiles } from "../../vfs/vfs_testing.ts";
import { callerOn, DIRS, enterDeepDirectory, populate } from "./overlay_testing.ts";
import { memoryOverlay } from "./memory_overlay.ts";

/** Makes an overlay over a tree in a tmpfs, and a driver of the lower tree. */
function overlayDriver(seed: number): { driver: VfsDriver; lower: VfsDriver } {
  const t = new TestFiles(), c = t.root;
  for (const d of DIRS) mkdirAt(c, AT_FDCWD, d, 0o777);
  enterDeepDirectory(c);
  const lower = new VfsDriver("lower", c);
  populate(lower, seed);
  const overlay = memoryOverlay(TEST_ACCOUNT, t.tmpfs.root, t.frames, t.vfs, "");
  const onTop = callerOn(MountNamespace.of(TEST_ACCOUNT, t.vfs, overlay, 0, "overlay"));
  enterDeepDirectory(onTop);
  // Inodes are made and freed all the time.
  if (seed % 2 === 0) t.vfs.dentries.maxUnused = 8;
  return { driver: new VfsDriver("overlay", onTop), lower };
}

function tmpfsDriver(seed: number): VfsDriver {
  const t = new TestFiles(), c = t.root;
  for (const d of DIRS) mkdirAt(c, AT_FDCWD, d, 0o777);
  enterDeepDirectory(c);
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
  const callers = users ? ", as several users" : "";
  Deno.test(`random calls on an overlay give the results of a tmpfs${callers}`, () => {
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
