/** The packages themselves: what is in them, and that the same sources make the same bytes. */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { isPortable } from "../../tools/lint/layers.ts";
import { gunzip } from "../../tools/package/archive.ts";
import { LIBRARY, libraryModules, writeLibrary } from "../../tools/package/library_tree.ts";
import { archiveOf, libraryPackage } from "../../tools/package/npm.ts";
import { ROOT } from "../harness/dvisor.ts";

async function inDirectory(fn: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "dvisor-packages-" });
  try {
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function deno(cwd: string, ...args: readonly string[]): Promise<string> {
  const options = { args: [...args], cwd, env: { NO_COLOR: "1" } };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), options).output();
  const text = new TextDecoder();
  assertEquals(code, 0, text.decode(stdout) + text.decode(stderr));
  return text.decode(stdout);
}

Deno.test("package: the library has its own modules alone, and no test", async () => {
  const modules = await libraryModules(ROOT);
  assert(modules.includes("oci/library/sandbox.ts"));
  assertEquals(modules.filter((path) => path !== "mod.ts" && !isPortable(path)), []);
});

Deno.test("package: all that its modules import is there, twice the same", async () => {
  const files = await libraryPackage(ROOT);
  const paths = new Set(files.map(({ path }) => path));
  for (const { path, bytes } of files.filter((file) => /\.(js|mjs|d\.ts)$/.test(file.path))) {
    const text = new TextDecoder().decode(bytes);
    assert(!text.includes("mod.ts"), `${path} shows a path of the sources`);
    for (const [, from = ""] of text.matchAll(/(?:from|import)\s*\(?"(\.[^"]+)"/g)) {
      const target = join(path, "..", from);
      const wanted = path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target;
      assert(paths.has(wanted), `${path} imports ${from}`);
    }
  }
  const manifest = files.find(({ path }) => path === "package.json");
  const { exports, types, bin, scripts } = JSON.parse(new TextDecoder().decode(manifest?.bytes));
  for (const path of [exports["."].types, exports["."].default, types, `./${bin.dvisor}`]) {
    assert(paths.has(path.replace("./", "")), path);
  }
  assertEquals(scripts, undefined);
  const [a, b] = await Promise.all([archiveOf(files), libraryPackage(ROOT).then(archiveOf)]);
  assertEquals(await gunzip(a), await gunzip(b));
  assertEquals(await a.bytes(), await b.bytes());
});

Deno.test("package: JSR takes the library, with fast types", () =>
  inDirectory(async (directory) => {
    await writeLibrary(ROOT, directory, LIBRARY);
    await deno(directory, "publish", "--dry-run", "--allow-dirty");
  }));

Deno.test("package: a script of another project imports the sources", () =>
  inDirectory(async (directory) => {
    const script =
      `import { Sandbox } from "${ROOT}/mod.ts";\nconsole.log(typeof Sandbox.create);\n`;
    await Deno.writeTextFile(`${directory}/script.ts`, script);
    await Deno.writeTextFile(`${directory}/deno.json`, '{ "imports": {} }');
    assertEquals(await deno(directory, "run", "--no-remote", "script.ts"), "function\n");
    await deno(directory, "check", "script.ts");
  }));
