/**
 * Tests of open_ahead.ts: files that are opened one after the other take few requests, have the
 * right bytes, and leave nothing open.
 */

import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { unlinkAt } from "../../vfs/remove.ts";
import { renameAt } from "../../vfs/rename.ts";
import { mustOpen } from "../../vfs/vfs_testing.ts";
import { type GoferLab, type LabOptions, withGofer } from "./gofer_testing.ts";

const bytes = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(s);

async function inDirectories(
  options: LabOptions,
  body: (lab: GoferLab, host: string) => void,
): Promise<void> {
  const host = Deno.makeTempDirSync({ prefix: "dvisor-gofer-" });
  try {
    for (let d = 0; d < 5; d++) {
      Deno.mkdirSync(`${host}/t/${d}`, { recursive: true });
      for (let i = 0; i < 40; i++) Deno.writeTextFileSync(`${host}/t/${d}/f${i}`, `${d} ${i}`);
      Deno.symlinkSync("f1", `${host}/t/${d}/link`);
    }
    await withGofer(host, options, (lab) => body(lab, host));
  } finally {
    Deno.removeSync(host, { recursive: true });
  }
}

function names(lab: GoferLab, path: string): string[] {
  const dir = mustOpen(lab.root, path, O_RDONLY), found: string[] = [];
  dir.readdir((name) => found.push(name) > 0);
  dir.drop();
  return found.filter((name) => name.startsWith("f"));
}

function textOf(lab: GoferLab, path: string): string {
  const file = mustOpen(lab.root, path, O_RDONLY), read = lab.read(file, 0, 100);
  file.drop();
  assert(typeof read !== "number");
  return new TextDecoder().decode(read);
}

function write(lab: GoferLab, path: string, text: string): void {
  const file = mustOpen(lab.root, path, O_RDWR | O_CREAT);
  assertEquals(lab.write(file, 0, bytes(text)), text.length);
  file.drop();
}

Deno.test("files opened in directory order are fetched by the dozen", async () => {
  await inDirectories({}, (lab) => {
    const before = lab.requests;
    for (let d = 0; d < 5; d++) {
      for (const name of names(lab, `/t/${d}`)) {
        assertEquals(textOf(lab, `/t/${d}/${name}`), `${d} ${name.slice(1)}`);
      }
    }
    assert(lab.requests - before < 40, `${lab.requests - before} requests for 200 files`);
    lab.fs.destroy();
    assertEquals(lab.host.closed, 200);
  });
});

Deno.test("files opened in the order of their names are fetched by the dozen", async () => {
  await inDirectories({}, (lab) => {
    for (let d = 0; d < 5; d++) names(lab, `/t/${d}`);
    const before = lab.requests;
    for (let d = 0; d < 5; d++) {
      for (const name of names(lab, `/t/${d}`).sort()) {
        assertEquals(textOf(lab, `/t/${d}/${name}`), `${d} ${name.slice(1)}`);
      }
    }
    assert(lab.requests - before < 40, `${lab.requests - before} requests for 200 files`);
    lab.fs.destroy();
    assertEquals(lab.host.closed, 200);
  });
});

Deno.test("files opened at random are fetched one by one", async () => {
  await inDirectories({}, (lab) => {
    const list = names(lab, "/t/0");
    for (let i = 0; i < 40; i++) textOf(lab, `/t/0/${list[i * 29 % 40]}`);
    lab.fs.destroy();
    assert(lab.host.closed <= 40, `${lab.host.closed} descriptors`);
  });
});

Deno.test("a file that was opened ahead is the file that has the name at the open", async () => {
  await inDirectories({}, (lab, host) => {
    const list = names(lab, "/t/0");
    for (const name of list.slice(0, 3)) textOf(lab, `/t/0/${name}`);
    const [written, removed, renamed] = list.slice(3, 6).map((name) => `/t/0/${name}`);
    write(lab, written!, "other");
    assertEquals(textOf(lab, written!).slice(0, 5), "other");
    assertEquals(unlinkAt(lab.root, AT_FDCWD, removed!), 0);
    write(lab, removed!, "new one");
    assertEquals(textOf(lab, removed!), "new one");
    assertEquals(renameAt(lab.root, AT_FDCWD, "/t/1/f7", AT_FDCWD, renamed!, 0), 0);
    assertEquals(textOf(lab, renamed!), "1 7");
    for (const name of list) {
      assertEquals(textOf(lab, `/t/0/${name}`), Deno.readTextFileSync(`${host}/t/0/${name}`));
    }
  });
});

Deno.test("few idle files allowed: nothing is opened ahead to be closed again", async () => {
  await inDirectories({ maxIdleFiles: 3 }, (lab) => {
    for (const name of names(lab, "/t/0")) textOf(lab, `/t/0/${name}`);
    assertEquals(lab.host.closed, 37);
  });
});

Deno.test("a Gofer that dies among opens gives EIO", async () => {
  await inDirectories({}, (lab) => {
    const list = names(lab, "/t/0");
    for (const name of list.slice(0, 3)) textOf(lab, `/t/0/${name}`);
    const { connection } = lab.client, call = connection.call.bind(connection);
    connection.call = (request, reply) => {
      connection.die("a test");
      return call(request, reply);
    };
    for (const name of list.slice(0, 12)) {
      const path = `/t/0/${name}`;
      try {
        textOf(lab, path);
      } catch (e) {
        assert(e instanceof Error && e.message.includes("EIO"), `${e}`);
      }
    }
  });
});
