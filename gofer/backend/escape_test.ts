/** No request leads out of a root: "..", symlinks, renames, and races of each with a walk. */

import { assert, assertEquals } from "@std/assert";
import { ENOENT, EXDEV } from "../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_PATH, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { close, openat, pread } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { SYS_openat } from "../../ffi/abi/syscall_numbers.ts";
import { type GoferClient, NOFID, STOP_SYMLINK } from "../client/gofer_client.ts";
import { Rwalk, Twalk } from "../protocol/walk.ts";
import { withServer } from "../server/testing.ts";
import { openConfined } from "./confined_tree.ts";
import { statIdentity } from "./attributes.ts";
import { openBeneath, openPath, statxFd } from "./host_calls.ts";
import { stageName } from "./scratch.ts";
import { Str } from "../protocol/wire.ts";

const SECONDS = Deno.env.get("DVISOR_FULL") === "1" ? 30 : 2;

/** A served tree, and a secret beside it. */
async function inTree(
  body: (root: string, outside: string) => void | Promise<void>,
): Promise<void> {
  const top = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    Deno.mkdirSync(`${top}/root/a/b/c`, { recursive: true });
    Deno.mkdirSync(`${top}/outside/b/c`, { recursive: true });
    Deno.writeTextFileSync(`${top}/root/a/b/file`, "inside");
    Deno.writeTextFileSync(`${top}/outside/file`, "SECRET");
    Deno.writeTextFileSync(`${top}/outside/b/file`, "SECRET");
    Deno.symlinkSync(`${top}/outside`, `${top}/root/absolute`);
    Deno.symlinkSync("../outside", `${top}/root/relative`);
    Deno.symlinkSync("a", `${top}/root/harmless`);
    await body(`${top}/root`, `${top}/outside`);
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
}

/** Walks as every 9P client would: the number of names that were walked, or -errno. */
function plainWalk(c: GoferClient, newFid: number, ...names: string[]): number {
  const m = new Twalk();
  m.fid = 0;
  m.newFid = newFid;
  m.names.set(names);
  const r = new Rwalk();
  const result = c.connection.call(m, r);
  return result < 0 ? result : r.count;
}

function staged(name: string): number {
  const s = new Str();
  s.set(name);
  return stageName(s);
}

Deno.test("'..' at the top stays at the top", async () => {
  await inTree(async (root) => {
    await withServer(
      { roots: [{ path: root, isReadOnly: false }] },
      { offersExtension: false },
      (c) => {
        assertEquals(c.getattr(0), 0);
        const top = c.attr.qid.path;
        assertEquals(plainWalk(c, 1, "..", "..", ".."), 3);
        assertEquals(c.getattr(1), 0);
        assertEquals(c.attr.qid.path, top);
        assertEquals(plainWalk(c, 2, "a", "b", "..", "..", "..", ".."), 6);
        assertEquals(c.getattr(2), 0);
        assertEquals(c.attr.qid.path, top);
        assertEquals(plainWalk(c, 3, "..", "outside"), 1);
        assertEquals(plainWalk(c, 3, "a", "..", "outside", "file"), 2);
      },
    );
  });
});

Deno.test("'..' of a directory that was moved out does not follow it", async () => {
  await inTree(async (root, outside) => {
    await withServer(
      { roots: [{ path: root, isReadOnly: false }] },
      { offersExtension: false },
      (c) => {
        assertEquals(plainWalk(c, 1, "a", "b", "c"), 3);
        Deno.renameSync(`${root}/a/b`, `${outside}/moved`);
        const m = new Twalk();
        m.fid = 1;
        m.newFid = 2;
        m.names.set(["..", "..", "file"]);
        assertEquals(c.connection.call(m, new Rwalk()), -ENOENT);
      },
    );
  });
});

Deno.test("the root's '..' entry does not reveal the directory outside", async () => {
  await inTree(async (root) => {
    await withServer({ roots: [{ path: root, isReadOnly: false }] }, {}, (c) => {
      assertEquals(c.getattr(0), 0);
      assert(c.readdir(0, 0, 0, 8000) > 0);
      while (c.entries.next()) {
        if (c.entries.name.equals("..")) assertEquals(c.entries.qid.path, c.attr.qid.path);
      }
    });
  });
});

for (const offersExtension of [true, false]) {
  Deno.test(`symlinks are never followed (extension ${offersExtension})`, async () => {
    await inTree(async (root) => {
      await withServer({ roots: [{ path: root, isReadOnly: false }] }, { offersExtension }, (c) => {
        for (const link of ["absolute", "relative", "harmless"]) {
          assertEquals(c.walkGetattr(0, NOFID, [link, "file"]), 1);
          assertEquals(c.walk.stop, STOP_SYMLINK);
          const fid = c.fids.take();
          assertEquals(c.walkGetattr(0, fid, [link]), 1);
          assert(c.mkdir(fid, NOFID, "x", 0o755, 0, 0) < 0);
          assert(c.unlink(fid, "file", 0) < 0);
          assert(c.rename(fid, "file", 0, "x") < 0);
          assert(c.readdir(fid, 0, 0, 4000) < 0);
          assert(c.lopen(fid, O_RDONLY) < 0);
        }
      });
    });
  });
}

Deno.test("a served tree is a mount of its own that cannot be left", async () => {
  await inTree((root, outside) => {
    const tree = openConfined(root, { isReadOnly: false, isFlat: false, follows: false });
    const plain = openat(AT_FDCWD, root, O_PATH | O_CLOEXEC);
    try {
      if (Deno.uid() === 0) assert(tree.isClone, "root on a current kernel gets a clone");
      if (!tree.isClone) return;
      // what wrong code in the server could do with the descriptor
      const flags = O_PATH | O_CLOEXEC;
      const up = syscall(SYS_openat, tree.fd, scratch.cstr("../outside/file"), flags, 0);
      assertEquals(up, -ENOENT);
      const far = syscall(SYS_openat, tree.fd, scratch.cstr("../../../../../../etc"), flags, 0);
      assertEquals(far, -ENOENT);
      const link = syscall(SYS_openat, tree.fd, scratch.cstr("absolute/file"), flags, 0);
      assert(link < 0, "symlinks have no power in it");
      const beyond = syscall(SYS_openat, plain, scratch.cstr("../outside/file"), flags, 0);
      assert(beyond >= 0, "while a plain descriptor leads out");
      close(beyond);
    } finally {
      close(tree.fd);
      close(plain);
      assert(Deno.statSync(outside).isDirectory);
    }
  });
});

Deno.test("openBeneath takes no name that leads away", async () => {
  await inTree((root) => {
    const dir = openat(AT_FDCWD, root, O_PATH | O_CLOEXEC);
    const fd = openPath(dir, staged("absolute"));
    assert(fd >= 0); // the link itself
    close(fd);
    assert(openBeneath(dir, staged("absolute"), O_RDONLY, 0) < 0);
    for (const path of ["../outside", "/etc", "..", "absolute/file"]) {
      const r = openBeneath(dir, scratch.cstr(path), O_RDONLY, 0);
      assert(r === -EXDEV || r === -40, `${path}: ${r}`);
    }
    close(dir);
  });
});

/**
 * A worker that runs `script` (with `isStopped()`) until `stop`: it swaps names in a tree as fast
 * as it can. After a mere termination, its last call might still run.
 */
class Racer {
  readonly #worker: Worker;
  readonly #flag = new Int32Array(new SharedArrayBuffer(4));
  #done: Promise<unknown> = Promise.resolve();

  constructor(script: string) {
    const text = `onmessage = (e) => {
      const flag = e.data;
      const isStopped = () => Atomics.load(flag, 0) !== 0;
      postMessage("ready");
      ${script}
      postMessage("done");
    };`;
    const url = URL.createObjectURL(new Blob([text], { type: "application/javascript" }));
    this.#worker = new Worker(url, { type: "module" });
  }

  #next(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = resolve;
      this.#worker.onerror = (e) => reject(new Error(e.message));
    });
  }

  async start(): Promise<void> {
    const ready = this.#next();
    this.#worker.postMessage(this.#flag);
    await ready;
    this.#done = this.#next();
  }

  async stop(): Promise<void> {
    Atomics.store(this.#flag, 0, 1);
    await this.#done;
    this.#worker.terminate();
  }
}

/** Runs `attempt` on a tree that a racer keeps changing. */
async function race(
  script: (root: string, outside: string) => string,
  attempt: (c: GoferClient, root: string) => void,
): Promise<void> {
  await inTree(async (root, outside) => {
    const racer = new Racer(script(root, outside));
    await racer.start();
    try {
      const roots = [{ path: root, isReadOnly: false }];
      for (const offersExtension of [true, false]) {
        await withServer({ roots }, { offersExtension }, (c) => {
          const end = Date.now() + SECONDS * 500;
          while (Date.now() < end) attempt(c, root);
        });
      }
    } finally {
      await racer.stop();
    }
  });
}

/** What may be read from a file inside: "inside", or less of it while the racer writes. */
function checkContent(text: string): void {
  assert("inside".startsWith(text), `"${text}" was read`);
}

/** Reads the file that a walk to a name "file" finds; it must never be the secret. */
function readFile(c: GoferClient, names: string[]): void {
  const buffer = allocBuffer(128);
  if (c.canDonate) {
    const n = c.walkGetattr(0, NOFID, names, 0, O_RDONLY);
    const fd = c.takeFd();
    if (n === names.length && fd >= 0) {
      const got = pread(fd, addressOf(buffer), 6, 0);
      checkContent(new TextDecoder().decode(buffer.subarray(0, Math.max(got, 0))));
    }
    if (fd >= 0) close(fd);
    return;
  }
  const fid = c.fids.take();
  const n = c.walkGetattr(0, fid, names);
  if (n > 0) {
    const isWhole = n === names.length && c.lopen(fid, O_RDONLY) === 0;
    if (isWhole) {
      assert(c.read(fid, 0, 6) >= 0);
      checkContent(c.data.toByteString());
    }
    c.clunk(fid);
  } else {
    c.fids.release(fid);
  }
}

Deno.test(`a directory swapped for a symlink, ${SECONDS} s`, async () => {
  await race(
    (root, outside) => `
      Deno.symlinkSync(${JSON.stringify(outside)}, ${JSON.stringify(root + "/swap")});
      const [a, s, t] = ${JSON.stringify([root + "/a", root + "/swap", root + "/tmp"])};
      while (!isStopped()) {
        Deno.renameSync(a, t); Deno.renameSync(s, a);
        Deno.renameSync(a, s); Deno.renameSync(t, a);
      }`,
    (c) => readFile(c, ["a", "b", "file"]),
  );
});

Deno.test(`a directory renamed out of the root and back, ${SECONDS} s`, async () => {
  await race(
    (root, outside) => `
      const [a, b] = ${JSON.stringify([root + "/a/b", outside + "/in"])};
      while (!isStopped()) { Deno.renameSync(a, b); Deno.renameSync(b, a); }`,
    (c) => {
      readFile(c, ["a", "b", "file"]);
      if (c.canDonate) return;
      // "..": from a directory that is moved in and out
      const fid = c.fids.take();
      const n = plainWalk(c, fid, "a", "b", "c", "..", "..", "..", "..", "file");
      assert(n !== 8, "the file beside the root was reached");
      c.fids.release(fid);
    },
  );
});

Deno.test(`a file swapped for a symlink amid other changes, ${SECONDS} s`, async () => {
  await race(
    (root, outside) => `
      Deno.symlinkSync(${JSON.stringify(outside + "/file")}, ${JSON.stringify(root + "/swap")});
      const [f, s, t] = ${JSON.stringify([root + "/a/b/file", root + "/swap", root + "/tmp"])};
      while (!isStopped()) {
        try { Deno.renameSync(f, t); Deno.renameSync(s, f); } catch { /* the test removed it */ }
        try { Deno.renameSync(f, s); } catch { /* the same */ }
        try { Deno.renameSync(t, f); } catch { Deno.writeTextFileSync(t, "inside"); }
        try { Deno.lstatSync(s); } catch { Deno.symlinkSync(${
      JSON.stringify(outside + "/file")
    }, s); }
      }`,
    (c, root) => {
      readFile(c, ["a", "b", "file"]);
      const b = c.fids.take();
      if (c.walkGetattr(0, b, ["a", "b"]) === 2) {
        c.rename(b, "file", b, "again");
        c.rename(b, "again", b, "file");
        if (c.canDonate) {
          const fd = c.createFd(b, NOFID, "file", 2, 0o600, Deno.uid() ?? 0, Deno.gid() ?? 0);
          if (fd >= 0) close(fd);
        }
        c.unlink(b, "file", 0);
      }
      c.clunk(b);
      assertEquals(Deno.readTextFileSync(`${root}/../outside/file`), "SECRET");
    },
  );
});

Deno.test("two requests about a file agree on its identity", async () => {
  await inTree((root) => {
    const fd = openat(AT_FDCWD, root, O_PATH | O_CLOEXEC);
    assertEquals(statxFd(fd), 0);
    const first = statIdentity();
    assertEquals(statxFd(fd), 0);
    assertEquals(statIdentity(), first);
    close(fd);
  });
});
