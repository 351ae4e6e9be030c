/** Cases about files: requests, streams, trees, rights, errors. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import {
  AREA,
  bytesOf,
  type Case,
  failure,
  inSandbox,
  ROOT_USER,
  withDirectory,
  withSandbox,
} from "../support.ts";

const NAMES = ["a b", "it's", 'say "x"', "new\nline", "ü€😀", "-rf", "$HOME", "*", " "];

export const fileCases: readonly Case[] = [
  inSandbox("files: bytes go in and out, with a mode", async (box) => {
    const data = new Uint8Array(300_001).map((_, i) => i * 11 + (i >> 8));
    await box.fs.writeFile(`${AREA}/f`, data, { mode: 0o640 });
    assert.equal(Buffer.compare(await box.fs.readFile(`${AREA}/f`), data), 0);
    const { size, mode, type, name } = await box.fs.stat(`${AREA}/f`);
    assert.deepEqual([size, mode, type, name], [data.length, 0o640, "file", "f"]);
    assert.equal((await box.exec(["stat", "-c", "%s %a", `${AREA}/f`])).text, "300001 640\n");
    await box.fs.writeFile(`${AREA}/f`, "short");
    assert.equal(await box.fs.readTextFile(`${AREA}/f`), "short");
    await box.fs.writeFile(`${AREA}/f`, "");
    assert.equal((await box.fs.readFile(`${AREA}/f`)).length, 0);
  }),

  inSandbox("files: nothing that is written reaches the host", async (box) => {
    const path = `/etc/dvisor-suite-${box.id}`;
    await box.fs.writeFile(path, "text", { user: ROOT_USER });
    assert.equal(await box.fs.readTextFile(path), "text");
    await assert.rejects(() => stat(path));
  }),

  inSandbox("files: parts, appending, new ones alone", async (box, library) => {
    await box.fs.writeFile(`${AREA}/f`, "0123456789");
    assert.equal(await box.fs.readTextFile(`${AREA}/f`, { offset: 2, length: 3 }), "234");
    assert.equal(await box.fs.readTextFile(`${AREA}/f`, { offset: 8 }), "89");
    assert.equal(await box.fs.readTextFile(`${AREA}/f`, { offset: 80 }), "");
    await box.fs.writeFile(`${AREA}/f`, "ab", { append: true });
    assert.equal(await box.fs.readTextFile(`${AREA}/f`, { offset: 9 }), "9ab");
    const again = box.fs.writeFile(`${AREA}/f`, "", { createNew: true });
    const error = await failure(library.AlreadyExistsError, again);
    assert.deepEqual([error.path, error.errno], [`${AREA}/f`, "EEXIST"]);
    await box.fs.writeFile(`${AREA}/new`, "n", { createNew: true });
  }),

  inSandbox("files: streams of 20 MB", async (box) => {
    const part = new Uint8Array(100_000).map((_, i) => i);
    let left = 200;
    await box.fs.writeFile(
      `${AREA}/big`,
      new ReadableStream<Uint8Array>({
        pull(controller) {
          if (left-- === 0) controller.close();
          else controller.enqueue(part);
        },
      }),
    );
    let length = 0, isRight = true;
    for await (const piece of box.fs.readable(`${AREA}/big`)) {
      isRight = isRight && piece.every((byte, i) => byte === ((length + i) % 100_000) % 256);
      length += piece.length;
    }
    assert.deepEqual([length, isRight], [20_000_000, true]);
    assert.equal((await box.exec(["wc", "-c", `${AREA}/big`])).text, `20000000 ${AREA}/big\n`);
  }),

  inSandbox("files: a stream that is left early, and one into a file", async (box) => {
    await box.exec(["sh", "-c", `head -c 9000000 /dev/zero > ${AREA}/zeros`]);
    const reader = box.fs.readable(`${AREA}/zeros`).getReader();
    assert.equal((await reader.read()).value?.[0], 0);
    await reader.cancel();
    const writer = box.fs.writable(`${AREA}/w`).getWriter();
    await writer.write(new Uint8Array([104, 105]));
    await writer.close();
    assert.equal(await box.fs.readTextFile(`${AREA}/w`), "hi");
  }),

  inSandbox("files: a file of /proc has a size of 0, and bytes", async (box) => {
    assert((await box.fs.readTextFile("/proc/meminfo")).includes("MemTotal"));
  }),

  inSandbox("files: what has no end, or waits, is not read", async (box, library) => {
    await box.exec(["mkfifo", `${AREA}/fifo`]);
    for (const path of ["/dev/zero", `${AREA}/fifo`]) {
      const error = await failure(library.InvalidArgumentError, box.fs.readFile(path));
      assert(error.message.startsWith(`cannot read ${path}: it is no regular file`), error.message);
    }
  }, { needs: ["mkfifo"] }),

  inSandbox("files: what does not exist is named", async (box, library) => {
    const path = "/no/such/file";
    const attempts = [
      box.fs.readFile(path),
      box.fs.writeFile(path, "x"),
      box.fs.list(path),
      box.fs.stat(path),
      box.fs.mkdir(path),
      box.fs.remove(path),
      box.fs.rename(path, `${AREA}/x`),
      box.fs.chmod(path, 0o600),
      box.fs.symlink("x", path),
      box.fs.readlink(path),
      box.fs.watch(path).next(),
      box.fs.readable(path).getReader().read(),
      box.fs.download(path, `${AREA}/never`),
    ];
    for (const attempt of await Promise.allSettled(attempts)) {
      const error = attempt.status === "rejected" ? attempt.reason : attempt.value;
      assert(error instanceof library.NotFoundError, String(error));
      assert.equal(error.errno, "ENOENT");
      assert(error.message.includes(path), error.message);
    }
    assert.equal(await box.fs.exists(path), false);
  }),

  inSandbox("files: a directory is no file, and a file no directory", async (box, library) => {
    await failure(library.IsADirectoryError, box.fs.readFile("/etc"));
    await failure(library.IsADirectoryError, box.fs.writeFile("/etc", "x"));
    await failure(library.NotADirectoryError, box.fs.list("/etc/passwd"));
    await failure(library.NotADirectoryError, box.fs.readFile("/etc/passwd/x"));
  }),

  inSandbox("files: a user has its own rights", async (box, library) => {
    await box.fs.writeFile(`${AREA}/secret`, "x", { mode: 0o600 });
    const user = { uid: 1234, gid: 1234 };
    const error = await failure(
      library.PermissionError,
      box.fs.readFile(`${AREA}/secret`, { user }),
    );
    assert.deepEqual([error.path, error.errno], [`${AREA}/secret`, "EACCES"]);
    await failure(library.PermissionError, box.fs.writeFile("/etc/x", "x", { user }));
    await failure(library.PermissionError, box.fs.remove(`${AREA}/secret`, { user }));
    await box.fs.writeFile(`${AREA}/own`, "x", { user });
    const { uid, gid } = await box.fs.stat(`${AREA}/own`);
    assert.deepEqual([uid, gid], [1234, 1234]);
  }),

  inSandbox("files: a write makes the directories above it", async (box, library) => {
    const path = `${AREA}/new/dirs/f`, recursive = true;
    await failure(library.NotFoundError, box.fs.writeFile(path, "x"));
    await box.fs.writeFile(path, "one", { recursive });
    await box.fs.writeFile(path, " two", { recursive, append: true });
    assert.equal(await box.fs.readTextFile(path), "one two");
    const writer = box.fs.writable(`${AREA}/new/more/g`, { recursive, mode: 0o600 }).getWriter();
    await writer.write(bytesOf("streamed"));
    await writer.close();
    assert.equal(await box.fs.readTextFile(`${AREA}/new/more/g`), "streamed");
    assert.equal((await box.fs.stat(`${AREA}/new/more/g`)).mode, 0o600);
    const below = box.fs.writeFile(`${path}/below/h`, "x", { recursive });
    await failure(library.NotADirectoryError, below);
    const closed = box.fs.writable(`${path}/below/h`, { recursive }).getWriter();
    await failure(library.NotADirectoryError, closed.write(bytesOf("x")));
  }),

  inSandbox("files: directories are made, listed and removed", async (box, library) => {
    await box.fs.mkdir(`${AREA}/d/e/f`, { recursive: true });
    await box.fs.mkdir(`${AREA}/d/e/f`, { recursive: true });
    await failure(library.AlreadyExistsError, box.fs.mkdir(`${AREA}/d`));
    await box.fs.mkdir(`${AREA}/d/closed`, { mode: 0o700 });
    await box.fs.writeFile(`${AREA}/d/file`, "12345");
    const entries = await box.fs.list(`${AREA}/d`);
    entries.sort((a, b) => a.name < b.name ? -1 : 1);
    assert.deepEqual(entries.map(({ name, type }) => [name, type]), [
      ["closed", "directory"],
      ["e", "directory"],
      ["file", "file"],
    ]);
    assert.deepEqual([entries[0]?.mode, entries[2]?.size], [0o700, 5]);
    await failure(library.NotEmptyError, box.fs.remove(`${AREA}/d`));
    await box.fs.remove(`${AREA}/d`, { recursive: true });
    assert.equal(await box.fs.exists(`${AREA}/d`), false);
  }),

  inSandbox("files: names of any text", async (box) => {
    await box.fs.mkdir(`${AREA}/names`);
    for (const name of NAMES) await box.fs.writeFile(`${AREA}/names/${name}`, name);
    const found = (await box.fs.list(`${AREA}/names`)).map(({ name }) => name).sort();
    assert.deepEqual(found, [...NAMES].sort());
    for (const name of NAMES) {
      assert.equal(await box.fs.readTextFile(`${AREA}/names/${name}`), name);
      await box.fs.remove(`${AREA}/names/${name}`);
    }
    assert.deepEqual(await box.fs.list(`${AREA}/names`), []);
  }),

  inSandbox("files: rename, chmod, links", async (box, library) => {
    await box.fs.writeFile(`${AREA}/a`, "text");
    await box.fs.rename(`${AREA}/a`, `${AREA}/b`);
    assert.equal(await box.fs.exists(`${AREA}/a`), false);
    await box.fs.chmod(`${AREA}/b`, 0o4711);
    assert.equal((await box.fs.stat(`${AREA}/b`)).mode, 0o4711);
    await box.fs.symlink("b", `${AREA}/link`);
    assert.equal(await box.fs.readlink(`${AREA}/link`), "b");
    assert.equal((await box.fs.stat(`${AREA}/link`)).type, "file");
    assert.equal((await box.fs.stat(`${AREA}/link`, { follow: false })).type, "symlink");
    assert.equal(await box.fs.readTextFile(`${AREA}/link`), "text");
    await box.fs.symlink("nowhere", `${AREA}/broken`);
    assert.equal(await box.fs.exists(`${AREA}/broken`), false);
    await failure(library.AlreadyExistsError, box.fs.symlink("b", `${AREA}/link`));
    await box.fs.remove(`${AREA}/link`);
    assert.equal(await box.fs.exists(`${AREA}/b`), true);
  }),

  inSandbox("files: a directory of 5,000", async (box) => {
    await box.exec(["sh", "-c", `mkdir ${AREA}/many; cd ${AREA}/many; seq 5000 | xargs touch`]);
    assert.equal((await box.fs.list(`${AREA}/many`)).length, 5000);
    await box.fs.remove(`${AREA}/many`, { recursive: true });
    assert.equal(await box.fs.exists(`${AREA}/many`), false);
  }, { needs: ["seq", "xargs"] }),

  inSandbox("files: a watch of a tree is ready when all of it is watched", async (box, library) => {
    await box.fs.mkdir(`${AREA}/t`);
    await box.exec(["sh", "-c", "seq -f %g/a 300 | xargs mkdir -p"], { cwd: `${AREA}/t` });
    const changes = box.fs.watch(`${AREA}/t`, { recursive: true });
    await changes.ready;
    await box.fs.writeFile(`${AREA}/t/300/a/new`, "");
    const { value } = await changes.next();
    assert.deepEqual(value, { kind: "create", path: `${AREA}/t/300/a/new` });
    await changes.return();
    await failure(library.NotFoundError, box.fs.watch(`${AREA}/no`).ready);
    const events = box.events();
    await events.ready;
    await events.return();
  }, { needs: ["seq", "xargs"] }),

  inSandbox("files: a watch sees what programs and requests change", async (box) => {
    await box.fs.mkdir(`${AREA}/w`);
    const changes = box.fs.watch(`${AREA}/w`);
    await box.fs.writeFile(`${AREA}/w/request`, "x");
    await box.exec(["sh", "-c", `echo > ${AREA}/w/program; rm ${AREA}/w/request`]);
    const wanted = ["create request", "create program", "remove request"];
    for await (const { kind, path } of changes) {
      const seen = `${kind} ${path.slice(`${AREA}/w/`.length)}`;
      if (seen === wanted[0]) wanted.shift();
      if (wanted.length === 0) break;
    }
    assert.equal((await changes.next()).done, true);
  }),

  inSandbox("files: a request is given up", async (box) => {
    const controller = new AbortController(), reason = new Error("enough"), { signal } = controller;
    const never = new ReadableStream<Uint8Array>({});
    const writing = box.fs.writeFile(`${AREA}/f`, never, { signal });
    writing.catch(() => {});
    assert.equal((await box.exec(["echo", "meanwhile"])).text, "meanwhile\n");
    controller.abort(reason);
    assert.equal(await writing.catch((error) => error), reason);
    assert.equal(await box.fs.stat(`${AREA}/f`, { signal }).catch((error) => error), reason);
    assert.equal((await box.fs.stat(`${AREA}/f`)).size, 0);
  }),

  inSandbox(
    "trees: up and down again, with links and modes",
    (box) =>
      withDirectory(async (directory) => {
        const from = join(directory, "from"), to = join(directory, "to");
        await mkdir(join(from, "sub/empty"), { recursive: true });
        await writeFile(join(from, "run.sh"), "#!/bin/sh\necho ran\n");
        await chmod(join(from, "run.sh"), 0o755);
        for (const name of NAMES) await writeFile(join(from, "sub", name), name);
        await writeFile(join(from, "big"), new Uint8Array(3_000_000).fill(7));
        await symlink("../run.sh", join(from, "sub/link"));
        await symlink("/no/such", join(from, "broken"));
        const seen: number[] = [];
        const up = await box.fs.upload(from, `${AREA}/tree`, {
          onProgress: ({ bytes, totalBytes }) => seen.push(bytes, totalBytes),
        });
        const files = NAMES.length + 2;
        assert.deepEqual([up.files, up.skipped], [files, []]);
        assert.deepEqual(seen.slice(-2), [up.bytes, up.bytes]);
        assert.equal((await box.exec([`${AREA}/tree/sub/link`])).text, "ran\n");
        const down = await box.fs.download(`${AREA}/tree`, to);
        assert.deepEqual([down.files, down.bytes], [up.files, up.bytes]);
        assert.deepEqual(
          (await readdir(join(to, "sub"))).sort(),
          [...NAMES, "empty", "link"].sort(),
        );
        assert.equal(await readlink(join(to, "broken")), "/no/such");
        assert.equal((await lstat(join(to, "run.sh"))).mode & 0o777, 0o755);
        assert.equal((await readFile(join(to, "big"))).every((byte) => byte === 7), true);
        assert.equal((await box.fs.upload(join(from, "big"), `${AREA}/one`)).bytes, 3_000_000);
        assert.equal((await box.fs.stat(`${AREA}/one`)).size, 3_000_000);
      }),
  ),

  inSandbox(
    "trees: a failure on the host is an error of its kind, and named",
    (box, library) =>
      withDirectory(async (directory) => {
        const name = (name: string) => join(directory, name);
        await mkdir(name("d"));
        await writeFile(name("f"), "");
        await symlink("f", name("link"));
        await box.fs.mkdir(`${AREA}/tree/link`, { recursive: true });
        await box.fs.writeFile(`${AREA}/f`, "text");
        const cases: [new (message: string) => Error, string, string][] = [
          [library.IsADirectoryError, `${AREA}/f`, name("d")],
          [library.NotADirectoryError, `${AREA}/f`, name("f/below")],
          [library.InvalidArgumentError, `${AREA}/f`, name("link")],
          [library.NotFoundError, `${AREA}/f`, name("no/such")],
          [library.NotADirectoryError, `${AREA}/tree`, name("f")],
        ];
        for (const [wanted, from, to] of cases) {
          const error = await failure(wanted, box.fs.download(from, to));
          assert(error.message.includes(to), error.message);
        }
        const missing = box.fs.upload(name("no/such"), `${AREA}/x`);
        const { message, path } = await failure(library.NotFoundError, missing);
        assert(message.includes(name("no/such")), message);
        assert.equal(path, name("no/such"));
      }),
  ),

  inSandbox(
    "trees: links of a sandbox lead nowhere on the host",
    (box, library) =>
      withDirectory(async (directory) => {
        const victim = join(directory, "victim"), to = join(directory, "to");
        await writeFile(victim, "as it was");
        await box.fs.mkdir(`${AREA}/t/d`, { recursive: true });
        await box.fs.symlink(victim, `${AREA}/t/link`);
        await box.fs.symlink(directory, `${AREA}/t/d/up`);
        await box.fs.download(`${AREA}/t`, to);
        assert.equal(await readlink(join(to, "link")), victim);
        // The sandbox makes files of its links; the links of the first copy stay unused.
        await box.exec(["sh", "-c", `cd ${AREA}/t; rm link d/up; echo bad > link; mkdir d/up`]);
        await failure(library.SandboxError, box.fs.download(`${AREA}/t`, to));
        assert.equal(await readFile(victim, "utf8"), "as it was");
      }),
  ),

  inSandbox(
    "trees: what was written is listed and copied out",
    (box) =>
      withDirectory(async (directory) => {
        await box.fs.mkdir("/opt/suite/sub", { recursive: true, user: ROOT_USER });
        await box.fs.writeFile("/opt/suite/sub/new", "new", { user: ROOT_USER });
        const script = "echo more >> /etc/passwd; rm /etc/group";
        await box.exec(["sh", "-c", script], { user: ROOT_USER });
        const changes = await box.diff(), paths = changes.map(({ path }) => path);
        assert.deepEqual(paths, [...paths].sort());
        const kinds = new Map(changes.map(({ path, kind }) => [path, kind]));
        assert.equal(kinds.get("/opt/suite/sub/new"), "added");
        assert.equal(kinds.get("/etc/passwd"), "modified");
        assert.equal(kinds.get("/etc/group"), "removed");
        const out = join(directory, "out");
        await box.commit(out);
        assert.equal(await readFile(join(out, "opt/suite/sub/new"), "utf8"), "new");
        assert((await readFile(join(out, "etc/passwd"), "utf8")).endsWith("more\n"));
      }),
  ),

  {
    name: "diff: places for mounts are no changes",
    run: (library, { create }) =>
      withDirectory(async (directory) => {
        await writeFile(join(directory, "file"), "");
        const mounts = [
          { source: directory, destination: "/suite-place/deep/directory" },
          { source: join(directory, "file"), destination: "/suite-place/file" },
        ];
        await withSandbox(library, { ...create, mounts }, async (box) => {
          const own = async () =>
            (await box.diff()).map(({ path }) => path).filter((path) => /^\/suite/.test(path));
          assert.deepEqual(await own(), []);
          await box.fs.writeFile("/suite-place/new", "new", { user: ROOT_USER });
          await box.fs.writeFile("/suite-place/file", "to the host", { user: ROOT_USER });
          assert.deepEqual(await own(), ["/suite-place/new"]);
        });
      }),
  },
];
