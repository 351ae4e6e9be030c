import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { FileStatus } from "../protocol/session/messages.ts";
import { NotADirectoryError, NotFoundError, SandboxError, SandboxGoneError } from "./errors.ts";
import { SandboxFiles } from "./files.ts";
import { FakeSandbox } from "./testing/fake_sandbox.ts";
import { commitChanges } from "./transfer.ts";

type Type = FileStatus["type"];

function status(name: string, type: Type): FileStatus {
  const times = { mtimeMs: 0, atimeMs: 0, ctimeMs: 0 };
  return { name, type, size: 1, mode: 0o755, uid: 0, gid: 0, ino: 1, nlink: 1, ...times };
}

/** A sandbox whose `/d` has these entries; each file has its path as its text. */
async function filesOf(entries: readonly FileStatus[], target = "x"): Promise<SandboxFiles> {
  const { connection } = await FakeSandbox.connect({
    onOpen(fake, channel, request) {
      if (request.op === "list") {
        fake.event(channel, { entries: request.path === "/d" ? entries : [] });
        return fake.result(channel);
      }
      if (request.op === "readFile") {
        fake.output(channel, request.path);
        return fake.result(channel);
      }
      if (request.op === "readlink") return fake.result(channel, { target });
      if (request.op !== "stat") return;
      const name = request.path.slice("/d/".length);
      const type = request.path === "/d"
        ? "directory"
        : entries.find((entry) => entry.name === name)?.type ?? "directory";
      fake.result(channel, status(name, type));
    },
  });
  return new SandboxFiles(connection);
}

async function withDirectory(fn: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "dvisor-library-" });
  try {
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The paths of this process's open files. */
function openFiles(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return ""; // closed since, as the descriptor of the directory
    }
  });
}

Deno.test("download: a tree with links, its modes, and what is skipped", async () => {
  await withDirectory(async (directory) => {
    const entries = [status("f", "file"), status("s", "symlink"), status("p", "fifo")];
    const files = await filesOf([...entries, status("sub", "directory")], "/etc/passwd");
    const seen: number[] = [];
    const done = await files.download("/d", join(directory, "out"), {
      onProgress: ({ files, totalFiles, bytes }) => seen.push(files, totalFiles, bytes),
    });
    assertEquals(done, { files: 1, bytes: 4, skipped: ["/d/p"] });
    assertEquals(seen, [0, 1, 4, 1, 1, 4]);
    assertEquals(await Deno.readTextFile(join(directory, "out/f")), "/d/f");
    assertEquals(await Deno.readLink(join(directory, "out/s")), "/etc/passwd");
    assertEquals((await Deno.stat(join(directory, "out/sub"))).isDirectory, true);
    // Once more, over what there is.
    assertEquals((await files.download("/d", join(directory, "out"))).files, 1);
  });
});

Deno.test("download: a name that leaves its directory is refused", async () => {
  for (const name of ["..", ".", "", "a/b", "../../x", "a\0b"]) {
    await withDirectory(async (directory) => {
      const files = await filesOf([status(name, "file")]);
      const out = join(directory, "out");
      await assertRejects(() => files.download("/d", out), SandboxError, "no good name");
      assertEquals([...Deno.readDirSync(directory)], []);
    });
  }
});

Deno.test("download: nothing is written through a link", async () => {
  await withDirectory(async (directory) => {
    // One name is a link and a file, as a sandbox may say that changes or lies.
    const twice = [status("x", "symlink"), status("x", "file"), status("x", "directory")];
    const victim = join(directory, "victim"), out = join(directory, "out");
    await Deno.writeTextFile(victim, "as it was");
    await assertRejects(async () => {
      await (await filesOf(twice, victim)).download("/d", out);
    }, SandboxError);
    assertEquals(await Deno.readTextFile(victim), "as it was");
    // A link that was there before.
    await Deno.remove(out, { recursive: true });
    await Deno.mkdir(out);
    await Deno.symlink(victim, join(out, "x"));
    const file = await filesOf([status("x", "file")]);
    await assertRejects(() => file.download("/d", out), SandboxError, "ELOOP");
    const folder = await filesOf([status("x", "directory")]);
    await assertRejects(() => folder.download("/d", out), NotADirectoryError, join(out, "x"));
    assertEquals(await Deno.readTextFile(victim), "as it was");
  });
});

Deno.test("download: a name that is no text is skipped, and said", async () => {
  await withDirectory(async (directory) => {
    const files = await filesOf([status("f", "file"), status("a\udc80", "file")]);
    const out = join(directory, "out"), { skipped } = await files.download("/d", out);
    assertEquals(skipped, ["/d/a\udc80"]);
    assertEquals([...Deno.readDirSync(out)].map(({ name }) => name), ["f"]);
  });
});

Deno.test("download: a sandbox that ends meanwhile leaves no file of the host open", async () => {
  await withDirectory(async (directory) => {
    const { connection } = await FakeSandbox.connect({
      onOpen(fake, channel) {
        fake.result(channel, status("f", "file"));
        fake.end();
      },
    });
    const download = new SandboxFiles(connection).download("/f", join(directory, "f"));
    await assertRejects(() => download, SandboxGoneError);
    assertEquals(openFiles().filter((path) => path.startsWith(directory)), []);
  });
});

Deno.test("upload and download: what is missing on the host is named", async () => {
  await withDirectory(async (directory) => {
    const files = await filesOf([status("f", "file")]);
    const missing = join(directory, "no");
    await assertRejects(() => files.upload(missing, "/d"), NotFoundError, missing);
    await assertRejects(() => files.download("/d/f", join(missing, "f")), NotFoundError, missing);
  });
});

Deno.test("commit: changed files under their paths, in an empty directory alone", async () => {
  await withDirectory(async (directory) => {
    const files = await filesOf([status("f", "file"), status("s", "symlink")]);
    const out = join(directory, "out");
    await commitChanges(files, [
      { path: "/d/f", kind: "added" },
      { path: "/d/s", kind: "modified" },
      { path: "/d/gone", kind: "removed" },
    ], out);
    assertEquals(await Deno.readTextFile(join(out, "d/f")), "/d/f");
    assertEquals(await Deno.readLink(join(out, "d/s")), "x");
    assertEquals([...Deno.readDirSync(join(out, "d"))].length, 2);
    await assertRejects(() => commitChanges(files, [], out), SandboxError, "empty directory");
    const bad = [{ path: "/d/../../x", kind: "added" }] as const;
    await assertRejects(
      () => commitChanges(files, bad, join(directory, "2")),
      SandboxError,
      "name",
    );
  });
});
