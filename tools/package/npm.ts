/**
 * The packages for npm: `dvisor`, the library as JavaScript with declarations of its types and the
 * command, and one with the executable for each platform. No script runs when they are installed:
 * npm picks the executable's package by `os` and `cpu`.
 */

import { type ArchiveFile, below, filesOfTar, gunzip, gzip, tarOf, textFile } from "./archive.ts";
import { readProject, writeLibrary } from "./library_tree.ts";

/** What scripts import, and the command. */
const NAME = "dvisor";
/** The package with the executable, for the only platform that there is. */
const BINARY_PACKAGE = "@dvisor/linux-x64";
/** The first release of Node 20 with long-term support. */
const NODE = ">=20.9";
/** The file in the package of a command that npm puts into PATH. */
const COMMAND = "bin/dvisor.mjs";

const ABOUT = {
  license: "Apache-2.0",
  keywords: ["sandbox", "container", "gvisor", "oci"],
};

/** Writes the packages. @returns the names of the archives in the directory */
export async function writePackages(
  root: string,
  directory: string,
  binary: string,
): Promise<string[]> {
  const { version } = await readProject(root);
  const packages = [
    { name: NAME, files: await libraryPackage(root) },
    { name: BINARY_PACKAGE, files: await binaryPackage(root, binary) },
  ];
  const names: string[] = [];
  for (const { name, files } of packages) {
    const archive = await archiveOf(files), path = archiveName(name, version);
    await Deno.writeFile(`${directory}/${path}`, archive.stream());
    names.push(path);
  }
  return names;
}

/** The name of a package's archive, as npm gives it. */
function archiveName(name: string, version: string): string {
  return `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
}

/** The files of the package `dvisor`. */
export async function libraryPackage(root: string): Promise<ArchiveFile[]> {
  const { version } = await readProject(root);
  const directory = await Deno.makeTempDir({ prefix: "dvisor-package-" });
  try {
    await writeLibrary(root, directory, NAME);
    const files = await packByDeno(directory);
    const manifest = {
      name: NAME,
      version,
      description: "Sandboxes for programs that you do not trust, with a kernel of their own",
      ...ABOUT,
      type: "module",
      exports: {
        ".": { types: "./mod.d.ts", default: "./mod.js" },
        "./package.json": "./package.json",
      },
      types: "./mod.d.ts",
      bin: { dvisor: COMMAND },
      engines: { node: NODE },
      optionalDependencies: { [BINARY_PACKAGE]: version },
    };
    const launcher = await Deno.readFile(`${root}/tools/package/launcher.mjs`);
    const page = await Deno.readFile(`${directory}/README.md`);
    return [
      ...files.filter(({ path }) => path.endsWith(".js") || path.endsWith(".d.ts")),
      ...await texts(root, manifest),
      { path: "README.md", bytes: page, mode: 0o644 },
      { path: COMMAND, bytes: launcher, mode: 0o755 },
    ];
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The files of the package with the executable. */
async function binaryPackage(root: string, binary: string): Promise<ArchiveFile[]> {
  const { version } = await readProject(root);
  const manifest = {
    name: BINARY_PACKAGE,
    version,
    description: "The executable of dvisor for Linux on x86-64",
    ...ABOUT,
    os: ["linux"],
    cpu: ["x64"],
    libc: ["glibc"],
    type: "module",
    main: "path.js",
    preferUnplugged: true,
  };
  const page =
    `# ${BINARY_PACKAGE}\n\nThe executable of the package \`${NAME}\`, which needs it.\n`;
  return [
    ...await texts(root, manifest),
    textFile("README.md", page),
    textFile("path.js", await Deno.readTextFile(`${root}/tools/package/executable_path.mjs`)),
    { path: NAME, bytes: await Deno.readFile(binary), mode: 0o755 },
  ];
}

async function texts(root: string, manifest: object): Promise<ArchiveFile[]> {
  return [
    textFile("package.json", `${JSON.stringify(manifest, null, 2)}\n`),
    textFile("LICENSE", await Deno.readTextFile(`${root}/LICENSE`)),
  ];
}

/** An archive as npm's registry has it. */
export function archiveOf(files: readonly ArchiveFile[]): Promise<Blob> {
  return gzip(tarOf(below("package", files)));
}

/**
 * JavaScript and declarations of a library that is ready for JSR. Deno makes the declarations from
 * the types that exports have in the sources, without a compiler of types; modules that no public
 * type needs get none.
 * @throws Error also if a public export has no explicit type
 */
async function packByDeno(directory: string): Promise<ArchiveFile[]> {
  const archive = `${directory}/library.tgz`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["pack", "--allow-dirty", "--no-source-maps", "--output", archive],
    cwd: directory,
    env: { NO_COLOR: "1" },
  }).output();
  if (code !== 0) throw new Error(`deno pack: ${new TextDecoder().decode(stderr).trim()}`);
  const tar = await gunzip(new Blob([await Deno.readFile(archive)]));
  return filesOfTar(tar).map((file) => ({
    ...file,
    path: file.path.replace(/^package\//, ""),
    mode: 0o644,
  }));
}
