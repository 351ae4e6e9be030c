/**
 * The files of a release beside the executable: an archive, a package for Debian, the packages for
 * npm, and the list of what the executable is made of. Neighbour: ../release.ts makes the rest.
 */

import { ROOT } from "../host_check.ts";
import { type ArchiveFile, below, gzip, tarOf, textFile } from "./archive.ts";
import { billOfMaterials } from "./bill_of_materials.ts";
import { debianName, debianPackage } from "./debian.ts";
import { readProject } from "./library_tree.ts";
import { writePackages } from "./npm.ts";

/** Names of these files. */
export const PACKAGED = /^dvisor[-_][\w.-]+\.(?:tar\.gz|tgz|deb|cdx\.json)$/;

/**
 * Writes them to the directory, which has `dvisor`.
 * @param shared names of its man pages and scripts of completion, in `share/`
 * @returns their names
 */
export async function writeReleaseFiles(
  directory: string,
  shared: readonly string[],
): Promise<string[]> {
  const { version } = await readProject(ROOT), binary = `${directory}/dvisor`;
  const texts = await Promise.all(shared.map(async (path): Promise<ArchiveFile> => ({
    path,
    bytes: await Deno.readFile(`${directory}/${path}`),
    mode: 0o644,
  })));
  const project = (name: string) => Deno.readTextFile(`${ROOT}/${name}`);
  const list = await billOfMaterials(ROOT, binary), bytes = await Deno.readFile(binary);
  const archive = tarOf(below(`dvisor-${version}`, [
    { path: "bin/dvisor", bytes, mode: 0o755 },
    { path: "bin/dvisor-gofer", linkTo: "bin/dvisor", bytes: new Uint8Array(), mode: 0o755 },
    ...texts,
    textFile("LICENSE", await project("LICENSE")),
    textFile("README.md", await project("README.md")),
    textFile("dvisor.cdx.json", list),
  ]));
  const debian = await debianPackage({
    version,
    binary: bytes,
    shared: texts,
    copyright: await project("tools/package/copyright.txt"),
    changes: await project("CHANGES.md"),
    billOfMaterials: list,
  });
  const files: readonly (readonly [string, Blob])[] = [
    [`dvisor-${version}-linux-x64.tar.gz`, await gzip(archive)],
    [debianName(version), debian],
    [`dvisor-${version}.cdx.json`, new Blob([list])],
  ];
  for (const [name, content] of files) {
    await Deno.writeFile(`${directory}/${name}`, content.stream());
  }
  return [...files.map(([name]) => name), ...await writePackages(ROOT, directory, binary)].sort();
}
