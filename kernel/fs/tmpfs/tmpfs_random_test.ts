/** Compares a tmpfs with the host's under random calls (vfs/exerciser_testing.ts). */

import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { Exerciser, type ExerciserOptions } from "../../vfs/exerciser_testing.ts";
import { hasHostTmpfs, HostDriver, VfsDriver } from "../../vfs/file_driver_testing.ts";
import { findAt } from "../../vfs/status.ts";
import { TestFiles } from "../../vfs/vfs_testing.ts";
import { named } from "../../../tests/harness/machine.ts";

const UMASK = 0o022;

function tmpfsDriver(): VfsDriver {
  const t = new TestFiles(), c = t.root;
  for (const d of ["t1", "t1/t2", "t1/t2/t3", "t1/t2/t3/t4"]) mkdirAt(c, AT_FDCWD, d, 0o777);
  const cwd = findAt(c, AT_FDCWD, "t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  c.fs.setCwd(cwd);
  return new VfsDriver("tmpfs", c);
}

function options(seed: number, users: boolean): ExerciserOptions {
  return {
    seed,
    calls: 3000,
    users,
    acls: true,
    renameFlags: [0, 0, 0, 1, 2, 3, 8],
    // Linux's tmpfs does not support ZERO_RANGE, COLLAPSE_RANGE and INSERT_RANGE.
    fallocateModes: [0, 1, 3, 2, 0x200],
  };
}

for (const users of [false, true]) {
  Deno.test({
    ...named(
      `random calls give the results of the host's tmpfs${users ? ", as several users" : ""}`,
      hasHostTmpfs() ? null : "no tmpfs of the host to compare with",
    ),
    fn() {
      let writes = 0, renames = 0;
      for (let seed = 1; seed <= 16; seed++) {
        const host = new HostDriver(UMASK), ours = tmpfsDriver().likeHost();
        try {
          const e = new Exerciser([ours, host], options(seed, users));
          e.run();
          writes += e.successes.get("pwrite") ?? 0;
          renames += e.successes.get("rename") ?? 0;
        } finally {
          host.destroy();
          ours.destroy();
        }
      }
      assertEquals(writes > 100 && renames > 50, true);
    },
  });
}
