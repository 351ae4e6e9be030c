/**
 * Compares files of a Gofer with the host's under random calls, while the kernel of files is copied
 * now and then, with another connection, and the copy goes on.
 */

import { assertEquals } from "@std/assert";
import { named } from "../../../tests/harness/machine.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { GoferInode } from "../../fs/gofer/gofer_inode.ts";
import {
  GoferDriver,
  GoferLab,
  type LabOptions,
  served,
  ServedHostDriver,
  withClient,
} from "../../fs/gofer/gofer_testing.ts";
import { DIRS, enterDeepDirectory, populate } from "../../fs/overlay/overlay_testing.ts";
import { memoryOverlay } from "../../fs/overlay/memory_overlay.ts";
import type { OverlayFs } from "../../fs/overlay/overlay_fs.ts";
import type { GoferFs } from "../../fs/gofer/gofer_fs.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { mkdirAt } from "../../vfs/create.ts";
import { TestFiles } from "../../vfs/vfs_testing.ts";
import { Exerciser, type ExerciserOptions } from "../../vfs/exerciser_testing.ts";
import {
  type Answer,
  type FileDriver,
  hasHostTmpfs,
  VfsDriver,
} from "../../vfs/file_driver_testing.ts";
import { CopiedLab, encodeLab } from "./copied_lab_testing.ts";

/** Opens after which the kernel is copied. */
const OPENS = 25;

class CopyingDriver extends GoferDriver {
  copies: number = 0;
  private own: GoferLab | CopiedLab;
  private readonly clients: GoferClient[];
  private opens: number = 0;

  constructor(lab: GoferLab, clients: readonly GoferClient[]) {
    super("gofer", lab);
    this.own = lab;
    this.clients = [...clients];
  }

  override open(path: string, flags: number, mode: number): Answer {
    if (++this.opens >= OPENS && this.canCopy()) this.copyNext();
    return super.open(path, flags, mode);
  }

  /** Files without a name would lose what only the host's file has: extended attributes. */
  private canCopy(): boolean {
    const { files } = this.own.root;
    for (const fd of files.openFds()) {
      const inode = files.get(fd)?.inode;
      if (inode instanceof GoferInode && !inode.hasPlace) return false;
    }
    return true;
  }

  private copyNext(): void {
    const client = this.clients.pop();
    if (client === undefined) return;
    this.opens = 0;
    const { own } = this, image = encodeLab(own, { files: [], mm: null });
    const copy = new CopiedLab(own, image, client, false);
    assertEquals(copy.changed, []);
    // As the end of its process does.
    for (const { fd } of own.fs.donated) own.host.close(fd);
    if (own instanceof CopiedLab) own.end();
    this.own = copy;
    this.goOnIn(copy);
    this.copies++;
  }
}

const MODES: readonly (readonly [string, LabOptions])[] = [
  ["exclusive", {}],
  ["leased", { leaseNs: 1e9 }],
  ["shared", { isExclusive: false }],
];

/** Runs `body` over a small tree in memory, with connections to it. */
async function overTree(body: (clients: GoferClient[]) => void): Promise<void> {
  const dir = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "dvisor-gofer-" });
  Deno.mkdirSync(`${dir}/t1/t2/t3/t4`, { recursive: true, mode: 0o777 });
  const one = (body: (client: GoferClient) => void | Promise<void>) => withClient(dir, {}, body);
  try {
    await one((a) => one((b) => one((c) => body([a, b, c]))));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Exercises a lab and what it is compared with: the number of copies. */
function run(ours: CopyingDriver, model: FileDriver, options: ExerciserOptions): number {
  try {
    new Exerciser([ours, model], options).run();
    return ours.copies;
  } finally {
    ours.destroy();
    model.destroy();
  }
}

function optionsOf(seed: number): ExerciserOptions {
  return {
    seed,
    calls: 1000,
    users: seed % 2 === 0,
    renameFlags: [0, 0, 0, 1, 2, 3, 8],
    fallocateModes: [0, 1, 3, 2, 0x200],
  };
}

for (const [mode, options] of MODES) {
  Deno.test({
    ...named(
      `random calls in copies of copies give the results of the host, ${mode}`,
      hasHostTmpfs() ? null : "no tmpfs of the host to compare with",
    ),
    async fn() {
      let copies = 0;
      for (let seed = 1; seed <= 4; seed++) {
        await overTree(([first, ...others]) => {
          const lab = new GoferLab(first!, options), host = new ServedHostDriver(0o022);
          enterDeepDirectory(lab.root);
          copies += run(new CopyingDriver(lab, others).likeHost(), host, optionsOf(seed));
        });
      }
      assertEquals(copies > 4, true);
    },
  });
}

/** A tmpfs with the attributes that a Gofer serves. */
class ServedTmpfsDriver extends VfsDriver {
  override getxattr(path: string, name: string): Answer {
    return super.getxattr(path, served(name));
  }
  override setxattr(path: string, name: string, value: string, flags: number): Answer {
    return super.setxattr(path, served(name), value, flags);
  }
  override removexattr(path: string, name: string): Answer {
    return super.removexattr(path, served(name));
  }
}

/** A driver of a tmpfs with the tree of a seed. */
function tmpfsDriver(seed: number): VfsDriver {
  const { root } = new TestFiles();
  for (const path of DIRS) mkdirAt(root, AT_FDCWD, path, 0o777);
  enterDeepDirectory(root);
  const driver = new ServedTmpfsDriver("tmpfs", root);
  populate(driver, seed);
  return driver;
}

Deno.test({
  ...named(
    "random calls in copies of an overlay give the results of a tmpfs",
    hasHostTmpfs() ? null : "the tree needs memory of the host",
  ),
  async fn() {
    let copies = 0;
    for (let seed = 1; seed <= 4; seed++) {
      await overTree(([first, ...others]) => {
        const lower = new GoferLab(first!, {});
        enterDeepDirectory(lower.root);
        populate(new GoferDriver("lower", lower), seed);
        const lab = new GoferLab(others.pop()!, { cover: memoryOverlayOn });
        enterDeepDirectory(lab.root);
        // The device 0:0 is a whiteout.
        const options = { ...optionsOf(seed), devices: [0x103] };
        copies += run(new CopyingDriver(lab, others), tmpfsDriver(seed), options);
      });
    }
    assertEquals(copies > 1, true);
  },
});

function memoryOverlayOn(fs: GoferFs, { ctx, vfs }: GoferLab): OverlayFs {
  return memoryOverlay(TEST_ACCOUNT, fs.root, ctx.frames, vfs, "");
}
