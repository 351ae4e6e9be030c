/** Tables of records under random changes, while they are shared, against maps. */

import { assert, assertEquals } from "@std/assert";
import { S_IFREG } from "../../../../ffi/abi/stat.ts";
import { TEST_ACCOUNT } from "../../../core/account_testing.ts";
import { Random } from "../../../vfs/exerciser_testing.ts";
import { TestFiles } from "../../../vfs/vfs_testing.ts";
import { TmpfsRegular } from "../regular.ts";
import type { TmpfsFs } from "../tmpfs.ts";
import type { InodeRecord } from "./inode_record.ts";
import { RecordTable, type SharedRecords } from "./record_table.ts";

/** Few numbers near each other, and some that need more levels. */
const NUMBERS = [...Array(40).keys()].map((i) => i + 1).concat(1 << 12, 1 << 20, 2 ** 33, 2 ** 52);

function recordOf(fs: TmpfsFs, ino: number): InodeRecord {
  const file = new TmpfsRegular(TEST_ACCOUNT, fs, S_IFREG, 0, 0, ino);
  file.data.allocate(0, 1);
  const record = file.record(0);
  // Only the record holds the frame from here on.
  fs.frames.release(file.data.frame(0), 1);
  return record;
}

interface Pair {
  readonly table: RecordTable;
  readonly model: Map<number, InodeRecord>;
}

interface Held {
  readonly shared: SharedRecords;
  readonly model: ReadonlyMap<number, InodeRecord>;
}

function check({ table, model }: Pair): void {
  for (const ino of NUMBERS) assertEquals(table.get(ino), model.get(ino) ?? null);
  const inos = [...model.keys()].sort((a, b) => a - b);
  assertEquals(table.list().map(({ ino }) => ino), inos);
}

function change({ table, model }: Pair, fs: TmpfsFs, random: Random): void {
  const ino = random.pick(NUMBERS), old = model.get(ino) ?? null;
  if (random.chance(40)) {
    assertEquals(table.remove(ino), old);
    model.delete(ino);
  } else {
    const record = recordOf(fs, ino);
    assertEquals(table.set(record), old);
    model.set(ino, record);
  }
}

Deno.test("tables that share nodes change for themselves, and free what they have alone", () => {
  for (let seed = 1; seed <= 10; seed++) {
    const random = new Random(seed), { frames, tmpfs } = new TestFiles();
    const pairs: Pair[] = [{ table: new RecordTable(frames), model: new Map() }];
    const held: Held[] = [];
    for (let i = 0; i < 600; i++) {
      const pair = random.pick(pairs);
      if (random.chance(90)) change(pair, tmpfs, random);
      else if (random.chance(30)) {
        const shared = pair.table.share();
        shared.hold();
        held.push({ shared, model: new Map(pair.model) });
      } else if (held.length > 0 && random.chance(60)) {
        const { shared, model } = random.pick(held);
        pairs.push({ table: new RecordTable(frames, shared), model: new Map(model) });
      } else if (held.length > 4) {
        for (const { shared } of held.splice(random.below(held.length), 1)) {
          while (shared.release(3));
        }
      }
      if (pairs.length > 4) {
        for (const { table } of pairs.splice(random.below(pairs.length), 1)) while (table.end(3));
      }
      if (i % 50 === 0) pairs.forEach(check);
    }
    pairs.forEach(check);
    const all = new Set([...pairs, ...held].flatMap(({ model }) => [...model.values()]));
    assertEquals(frames.pool.heldBytes, all.size * 4096, `seed ${seed}`);
    for (const { shared } of held) shared.release();
    for (const { table } of pairs) table.end();
    assertEquals(frames.pool.heldBytes, 0);
    assert(frames.tables.size === 0);
  }
});
