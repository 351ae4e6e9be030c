/** Compares a Gofer's file system with the host's under random calls (vfs/exerciser_testing.ts). */

import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { Exerciser, type ExerciserOptions } from "../../vfs/exerciser_testing.ts";
import { hasHostTmpfs } from "../../vfs/file_driver_testing.ts";
import { findAt } from "../../vfs/status.ts";
import { GoferDriver, type GoferLab, ServedHostDriver, withGofer } from "./gofer_testing.ts";
import { named } from "../../../tests/harness/machine.ts";

function driverIn(lab: GoferLab): GoferDriver {
  const cwd = findAt(lab.root, AT_FDCWD, "t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  lab.root.fs.setCwd(cwd);
  return new GoferDriver("gofer", lab).likeHost();
}

function options(seed: number, users: boolean): ExerciserOptions {
  return {
    seed,
    calls: 1000,
    users,
    renameFlags: [0, 0, 0, 1, 2, 3, 8],
    fallocateModes: [0, 1, 3, 2, 0x200],
  };
}

for (const users of [false, true]) {
  for (const mode of ["exclusive", "leased", "shared"]) {
    Deno.test({
      ...named(
        `random calls through a Gofer give the results of the host${
          users ? ", as several users" : ""
        }, ${mode}`,
        hasHostTmpfs() ? null : "no tmpfs of the host to compare with",
      ),
      async fn() {
        let writes = 0;
        for (let seed = 1; seed <= 10; seed++) {
          const dir = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "dvisor-gofer-" });
          for (const d of ["t1", "t1/t2", "t1/t2/t3", "t1/t2/t3/t4"]) {
            Deno.mkdirSync(`${dir}/${d}`, { mode: 0o755 });
          }
          try {
            const how = { isExclusive: mode !== "shared", leaseNs: mode === "leased" ? 1e9 : 0 };
            await withGofer(dir, { ...how, maxIdleFiles: 4 }, (lab) => {
              const host = new ServedHostDriver(0o022), ours = driverIn(lab);
              try {
                const e = new Exerciser([ours, host], options(seed, users));
                e.run();
                writes += e.successes.get("pwrite") ?? 0;
              } finally {
                ours.destroy();
                host.destroy();
              }
            });
          } finally {
            Deno.removeSync(dir, { recursive: true });
          }
        }
        assertEquals(writes > 20, true);
      },
    });
  }
}
