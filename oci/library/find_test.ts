import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { InvalidArgumentError } from "./errors.ts";
import { checkId, errnoOf } from "./find.ts";

/** What a script prints that runs with this directory for sockets of sandboxes. */
async function runWith(runtime: string, script: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    env: { XDG_RUNTIME_DIR: runtime },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const FIND = new URL("find.ts", import.meta.url).href;
const SANDBOX = new URL("sandbox.ts", import.meta.url).href;

Deno.test("sockets: a directory that others can change is left out", async () => {
  const runtime = await Deno.makeTempDir({ prefix: "dvisor-library-" });
  try {
    const directory = join(runtime, "dvisor-sandboxes");
    const script = `const { socketDirectories } = await import("${FIND}");
      console.log((await socketDirectories()).includes("${directory}"));`;
    assertEquals(await runWith(runtime, script), "false");
    await Deno.mkdir(directory, { mode: 0o700 });
    assertEquals(await runWith(runtime, script), "true");
    await Deno.chmod(directory, 0o750);
    assertEquals(await runWith(runtime, script), "false");
    await Deno.remove(directory);
    await Deno.symlink("/", directory);
    assertEquals(await runWith(runtime, script), "false");
  } finally {
    await Deno.remove(runtime, { recursive: true });
  }
});

Deno.test("list: a socket whose sandbox is gone is removed, and no other file", async () => {
  const runtime = await Deno.makeTempDir({ prefix: "dvisor-library-" });
  try {
    const directory = join(runtime, "dvisor-sandboxes");
    await Deno.mkdir(directory, { mode: 0o700 });
    Deno.listen({ transport: "unix", path: join(directory, "dead.sock") }).close();
    await Deno.writeTextFile(join(directory, "notes"), "");
    const script = `const { Sandbox } = await import("${SANDBOX}");
      const ids = (await Sandbox.list()).map(({ id }) => id);
      console.log(ids.includes("dead"));`;
    assertEquals(await runWith(runtime, script), "false");
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["notes"]);
  } finally {
    await Deno.remove(runtime, { recursive: true });
  }
});

Deno.test("ids are names of files in one directory", () => {
  for (const id of ["a", "A-1.b_c+d", "0".repeat(63)]) checkId(id);
  for (const id of ["", ".", "..", "a/b", "../a", "-a", "a b", "a\0", "0".repeat(64)]) {
    assertThrows(() => checkId(id), InvalidArgumentError);
  }
});

Deno.test("an error of the host has the name of its number", () => {
  const error = assertThrows(() => Deno.readTextFileSync("/no/such"));
  assertEquals([errnoOf(error), errnoOf("text"), errnoOf(new Error("x"))], ["ENOENT", "", ""]);
});
