/**
 * For tests: a directory with files of several types, served to a client in one or both dialects.
 */

import { assert, assertEquals } from "@std/assert";
import { type GoferClient, STOP_COMPLETE, Tsetattr } from "../client/gofer_client.ts";
import { withServer, type WorkerOrder } from "./testing.ts";

/** Runs a test in both dialects, each in a fresh directory. */
export function inBothDialects(
  name: string,
  body: (c: GoferClient, dir: string, isDvisor: boolean) => void,
): void {
  for (const offersExtension of [true, false]) {
    const dialect = offersExtension ? "dvisor's dialect" : "the base protocol";
    Deno.test(`${name} (${dialect})`, async () => {
      await inTree({}, offersExtension, (c, dir) => body(c, dir, offersExtension));
    });
  }
}

export async function inTree(
  order: Partial<WorkerOrder>,
  offersExtension: boolean,
  body: (c: GoferClient, dir: string) => void | Promise<void>,
  isReadOnly = false,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    Deno.mkdirSync(`${dir}/a/b`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/a/b/file`, "content of file\n");
    Deno.symlinkSync("b/file", `${dir}/a/link`);
    Deno.symlinkSync("/etc", `${dir}/a/etc`);
    const roots = [{ path: dir, isReadOnly }];
    const report = await withServer({ ...order, roots }, { offersExtension }, (c) => body(c, dir));
    assertEquals(report, "");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Binds a new fid to a path. */
export function bind(c: GoferClient, ...names: string[]): number {
  const fid = c.fids.take();
  assertEquals(c.walkGetattr(0, fid, names), Math.max(1, names.length));
  assertEquals(c.walk.stop, STOP_COMPLETE);
  return fid;
}

export function setattr(fid: number, fields: Partial<Tsetattr>): Tsetattr {
  return Object.assign(new Tsetattr(), { fid }, fields);
}

export function entriesOf(c: GoferClient, fid: number, count: number): string[] {
  const names: string[] = [];
  let lo = 0;
  let hi = 0;
  for (;;) {
    const n = c.readdir(fid, lo, hi, count);
    assert(n >= 0, `readdir: ${n}`);
    if (n === 0) return names;
    while (c.entries.next()) {
      names.push(c.entries.name.toByteString());
      lo = c.entries.offsetLo;
      hi = c.entries.offsetHi;
    }
  }
}
