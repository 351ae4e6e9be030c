/** Compares an overlay whose changes go to a Gofer with a plain file system. */
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { isFull, named } from "../../../tests/harness/machine.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { Exerciser } from "../../vfs/exerciser_testing.ts";
import { hasHostTmpfs, VfsDriver } from "../../vfs/file_driver_testing.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import type { GoferFs } from "../gofer/gofer_fs.ts";
import { GoferDriver, type GoferLab, ServedHostDriver, withGofer } from "../gofer/gofer_testing.ts";
import { TmpfsFs } from "../tmpfs/tmpfs.ts";
import { callerOn, DIRS, enterDeepDirectory, populate } from "./overlay_testing.ts";
import { ownOverlay } from "./own_overlay.ts";

/** Makes an overlay over a tree in memory whose changes go to the Gofer. */
function covered(seed: number, upper: GoferFs, lab: GoferLab): FileSystem {
  const lower = new TmpfsFs(TEST_ACCOUNT, lab.ctx.frames, lab.vfs, {});
  const c = callerOn(MountNamespace.of(TEST_ACCOUNT, lab.vfs, lower, 0, "lower"));
  for (const d of DIRS) mkdirAt(c, AT_FDCWD, d, 0o755);
  enterDeepDirectory(c);
  populate(new VfsDriver("lower", c), seed);
  const { ctx: { frames }, vfs: { devices } } = lab;
  const overlay = ownOverlay(TEST_ACCOUNT, lower.root, upper, frames, devices, "");
  if (typeof overlay === "number") throw new Error(`overlay: ${overlay}`);
  return overlay;
}

for (const users of [false, true]) {
  Deno.test({
    ...named(
      `random calls on an overlay of a Gofer's tree give the results of the host${
        users ? ", as several users" : ""
      }`,
      hasHostTmpfs() ? null : "no tmpfs of the host to compare with",
    ),
    async fn() {
      let writes = 0;
      for (let seed = 1; seed <= (isFull ? 60 : 8); seed++) {
        const dir = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "dvisor-gofer-" });
        const cover = (fs: GoferFs, lab: GoferLab) => covered(seed, fs, lab);
        await withGofer(dir, { maxIdleFiles: 4, cover }, (lab) => {
          enterDeepDirectory(lab.root);
          const host = new ServedHostDriver(0o022),
            ours = new GoferDriver("overlay", lab).likeHost();
          populate(host, seed);
          try {
            const renameFlags = [0, 0, 0, 1, 2, 3, 8], fallocateModes = [0, 1, 3, 2, 0x200];
            const e = new Exerciser([ours, host], {
              seed,
              calls: isFull ? 3000 : 1000,
              users,
              renameFlags,
              fallocateModes,
              devices: [0x103],
            });
            e.run();
            writes += e.successes.get("pwrite") ?? 0;
          } finally {
            ours.destroy();
            host.destroy();
          }
        });
        Deno.removeSync(dir, { recursive: true });
      }
      assertEquals(writes > 20, true);
    },
  });
}
