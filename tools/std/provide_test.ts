/** Tests of the switch between the packages of JSR and the stand-ins, in a project of its own. */

import { assert, assertEquals, assertFalse } from "@std/assert";
import { ROOT } from "../host_check.ts";
import { provide, type Source } from "./provide.ts";

/** JSR as a test wants it: reachable or not. `fetchAll` leaves what Deno would. */
function registry(isReachable: boolean): Source {
  return {
    fetchAll(root) {
      if (isReachable) Deno.mkdirSync(`${root}/vendor/jsr.io`, { recursive: true });
      return Promise.resolve(isReachable);
    },
    isReachable: () => Promise.resolve(isReachable),
  };
}

async function inProject(fn: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "dvisor-std-test-" });
  try {
    const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
    const config = { imports, vendor: true, lock: false, nodeModulesDir: "none" };
    await Deno.writeTextFile(`${root}/deno.json`, JSON.stringify(config));
    await Deno.mkdir(`${root}/tools`);
    const copy = new Deno.Command("cp", { args: ["-r", `${ROOT}/tools/std`, `${root}/tools/`] });
    assert((await copy.output()).success);
    await fn(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

function entries(root: string): string[] {
  return [...Deno.readDirSync(`${root}/vendor`)].map((entry) => entry.name).sort();
}

Deno.test("deno.json pins each package that has a stand-in, and links none", async () => {
  const { imports, links } = JSON.parse(await Deno.readTextFile(`${ROOT}/deno.json`));
  const folders = [...Deno.readDirSync(`${ROOT}/tools/std`)].filter((entry) => entry.isDirectory);
  assertEquals(Object.keys(imports).sort(), folders.map(({ name }) => `@std/${name}`).sort());
  for (const [name, address] of Object.entries(imports)) {
    assert(new RegExp(`^jsr:${name}@\\d+\\.\\d+\\.\\d+$`).test(String(address)), String(address));
  }
  assertEquals(links, undefined);
});

Deno.test("stand-ins are used without JSR, follow their sources, and go when JSR answers", () =>
  inProject(async (root) => {
    assertFalse(await provide(root, registry(false)));
    assertEquals(entries(root), ["jsr.io", "stand_ins.txt"]);
    const program = 'import { join } from "@std/path"; join("a", "b");';
    await Deno.writeTextFile(`${root}/a.ts`, program);
    // Deno itself, which cannot fetch anything, takes them for packages of JSR.
    const args = ["run", "--cached-only", `--config=${root}/deno.json`, `${root}/a.ts`];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert(success, new TextDecoder().decode(stderr));

    const mod = `${root}/tools/std/path/mod.ts`;
    await Deno.writeTextFile(mod, "export const changed = 1;\n");
    assertFalse(await provide(root, registry(false)));
    const { imports } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
    const version = imports["@std/path"].split("@").at(-1);
    const copy = `${root}/vendor/jsr.io/@std/path/${version}/mod.ts`;
    assertEquals(await Deno.readTextFile(copy), await Deno.readTextFile(mod));

    assert(await provide(root, registry(true)));
    assertEquals(entries(root), ["jsr.io"]);
    assertEquals([...Deno.readDirSync(`${root}/vendor/jsr.io`)], []);
  }));

Deno.test("packages that were fetched from JSR stay, with JSR or without", () =>
  inProject(async (root) => {
    const { imports } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
    for (const address of Object.values(imports)) {
      const [, name, version] = /^jsr:(.+)@(.+)$/.exec(String(address)) ?? [];
      await Deno.mkdir(`${root}/vendor/jsr.io/${name}/${version}`, { recursive: true });
    }
    assert(await provide(root, registry(false)));
    assertEquals(entries(root), ["jsr.io"]);
  }));
