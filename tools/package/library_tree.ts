/**
 * The library by itself: the modules that mod.ts reaches, with what a registry of TypeScript (JSR)
 * wants beside them. The package for npm is made of it.
 */

import { dirname } from "@std/path";

/** The library's name on JSR. */
export const LIBRARY = "@dvisor/dvisor";
const ENTRY = "mod.ts";

/** The import of an example in a comment; the library's own tests run it as it stands. */
const EXAMPLE = /^(\s*\* import .* from )"(?:\.\.\/)+mod\.ts";$/gm;

/** deno.json, as far as it matters here. */
interface Project {
  readonly version: string;
  readonly license: string;
  readonly compilerOptions: Readonly<Record<string, boolean>>;
  readonly imports: Readonly<Record<string, string>>;
}

export async function readProject(root: string): Promise<Project> {
  return JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
}

/**
 * The modules of the library, by their paths from the root.
 * @throws Error if it imports something that a package does not have
 */
export async function libraryModules(root: string): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--config", `${root}/deno.json`, `${root}/${ENTRY}`],
  }).output();
  if (code !== 0) throw new Error(`deno info: ${new TextDecoder().decode(stderr)}`);
  const { modules }: { modules: readonly { readonly specifier: string }[] } = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  const base = new URL(`file://${root}/`).href;
  const others = modules.filter(({ specifier }) =>
    !specifier.startsWith("node:") && !specifier.startsWith(base)
  );
  if (others.length > 0) throw new Error(`the library imports ${others[0]?.specifier}`);
  return modules.filter(({ specifier }) => specifier.startsWith(base))
    .map(({ specifier }) => decodeURIComponent(specifier.slice(base.length))).sort();
}

/**
 * Writes the library to an empty directory.
 * @param name what scripts import
 */
export async function writeLibrary(root: string, directory: string, name: string): Promise<void> {
  const { version, license, compilerOptions } = await readProject(root);
  for (const path of await libraryModules(root)) {
    const text = await Deno.readTextFile(`${root}/${path}`);
    await Deno.mkdir(dirname(`${directory}/${path}`), { recursive: true });
    const shown = text.replaceAll(EXAMPLE, (_, before) => `${before}"${name}";`);
    await Deno.writeTextFile(`${directory}/${path}`, shown);
  }
  const config = { name: LIBRARY, version, license, exports: `./${ENTRY}`, compilerOptions };
  await Deno.writeTextFile(`${directory}/deno.json`, `${JSON.stringify(config, null, 2)}\n`);
  await Deno.copyFile(`${root}/LICENSE`, `${directory}/LICENSE`);
  await Deno.writeTextFile(`${directory}/README.md`, await readme(root, name));
}

/** The page about the library, with the name that its scripts import. */
async function readme(root: string, name: string): Promise<string> {
  const page = await Deno.readTextFile(`${root}/tools/package/library.md`);
  return page.replaceAll(`"dvisor"`, `"${name}"`);
}
