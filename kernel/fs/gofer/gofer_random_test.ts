/** Compares a Gofer's file system with the host's under random calls (vfs/exerciser_testing.ts). */

import { assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { Exerciser, type ExerciserOptions } from "../../vfs/exerciser_testing.ts";
import { hasHostTmpfs } from "../../vfs/file_driver_testing.ts";
import { findAt } from "../../vfs/status.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { Answer } from "../../vfs/file_driver_testing.ts";
import { GoferInode } from "./gofer_inode.ts";
import { GoferDriver, GoferLab, ServedHostDriver, withClient, withGofer } from "./gofer_testing.ts";
import { reconnect, settleAttributes } from "./reconnect.ts";
import { named } from "../../../tests/harness/machine.ts";

function driverIn(lab: GoferLab): GoferDriver {
  enterTree(lab);
  return new GoferDriver("gofer", lab).likeHost();
}

function enterTree(lab: GoferLab): void {
  const cwd = findAt(lab.root, AT_FDCWD, "t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  lab.root.fs.setCwd(cwd);
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

/** LIMIT: opens after which the next connection is taken. */
const OPENS = 40;

/** A driver whose file system gets another connection now and then. */
class ReconnectingDriver extends GoferDriver {
  private readonly own: GoferLab;
  private readonly clients: GoferClient[];
  private opens: number = 0;

  constructor(lab: GoferLab, clients: GoferClient[]) {
    super("gofer", lab);
    this.own = lab;
    this.clients = clients;
  }

  override open(path: string, flags: number, mode: number): Answer {
    if (++this.opens >= OPENS && this.canReconnect()) this.reconnectNext();
    return super.open(path, flags, mode);
  }

  /** Files without a name would lose what only the host's file has: extended attributes. */
  private canReconnect(): boolean {
    const { files } = this.own.root;
    for (let fd = 0; fd < 16; fd++) {
      const inode = files.get(fd)?.inode;
      if (inode instanceof GoferInode && !inode.hasPlace) return false;
    }
    return true;
  }

  private reconnectNext(): void {
    const client = this.clients.pop();
    if (client === undefined) return;
    this.opens = 0;
    const { fs, host } = this.own;
    assertEquals(settleAttributes(fs), 0);
    const old = [...fs.donated].map((file) => file.fd);
    const found = reconnect(fs, client, "0", { isCopy: false });
    assertEquals(typeof found === "number" ? found : found.map((f) => [f.path, f.change]), []);
    for (const fd of old) host.close(fd);
  }
}

for (const mode of ["exclusive", "leased", "shared"]) {
  Deno.test({
    ...named(
      `random calls over three connections in turn give the results of the host, ${mode}`,
      hasHostTmpfs() ? null : "no tmpfs of the host to compare with",
    ),
    async fn() {
      const how = { isExclusive: mode !== "shared", leaseNs: mode === "leased" ? 1e9 : 0 };
      for (let seed = 1; seed <= 3; seed++) {
        const dir = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "dvisor-gofer-" });
        Deno.mkdirSync(`${dir}/t1/t2/t3/t4`, { recursive: true, mode: 0o755 });
        const one = (body: (client: GoferClient) => void | Promise<void>) =>
          withClient(dir, {}, body);
        try {
          await one((a) => one((b) => one((c) => exercise(new GoferLab(a, how), [b, c], seed))));
        } finally {
          Deno.removeSync(dir, { recursive: true });
        }
      }
    },
  });
}

function exercise(lab: GoferLab, clients: GoferClient[], seed: number): void {
  enterTree(lab);
  const host = new ServedHostDriver(0o022), ours = new ReconnectingDriver(lab, clients).likeHost();
  try {
    new Exerciser([ours, host], options(seed, false)).run();
    assertEquals(clients.length, 0);
  } finally {
    ours.destroy();
    host.destroy();
  }
}
