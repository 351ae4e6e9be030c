/** The package for Debian and its descendants, made without their tools: an ar(1) of two tars. */

import { createHash } from "node:crypto";
import { type ArchiveFile, arOf, below, gzip, tarOf, textFile } from "./archive.ts";

const DOC = "usr/share/doc/dvisor";
/** The directory that Debian's zsh searches for packages' completion. */
const ZSH = "usr/share/zsh/vendor-completions";

interface DebianContent {
  readonly version: string;
  readonly binary: Uint8Array<ArrayBuffer>;
  /** Man pages and completion, below /usr. */
  readonly shared: readonly ArchiveFile[];
  readonly copyright: string;
  readonly changes: string;
  readonly billOfMaterials: string;
}

/** The file's name, as Debian gives it. */
export function debianName(version: string): string {
  return `dvisor_${version}_amd64.deb`;
}

function controlText(version: string, files: readonly ArchiveFile[]): string {
  const bytes = files.reduce((total, file) => total + file.bytes.length, 0);
  return `Package: dvisor
Version: ${version}
Architecture: amd64
Maintainer: The dvisor authors <maintainers@example.org>
Installed-Size: ${Math.ceil(bytes / 1024)}
Depends: libc6 (>= 2.27), libgcc-s1
Recommends: uidmap
Section: utils
Priority: optional
Description: sandbox for programs, with a kernel of its own
 dvisor runs programs that are not trusted. A program inside sees a Linux
 kernel, which is an ordinary, confined process: it answers every system call.
 .
 It is a runtime for Docker, Podman and containerd too, with the verbs and
 options of runc.
`;
}

async function installedFiles(content: DebianContent): Promise<ArchiveFile[]> {
  const compressed = async (
    path: string,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<ArchiveFile> => ({
    path: `${path}.gz`,
    bytes: await (await gzip(new Blob([bytes]))).bytes(),
    mode: 0o644,
  });
  const shared = content.shared.map((file) => {
    const path = `usr/${file.path}`.replace("usr/share/zsh/site-functions", ZSH);
    return path.includes("/man/") ? compressed(path, file.bytes) : { ...file, path };
  });
  return [
    { path: "usr/bin/dvisor", bytes: content.binary, mode: 0o755 },
    {
      path: "usr/bin/dvisor-gofer",
      linkTo: "usr/bin/dvisor",
      bytes: new Uint8Array(),
      mode: 0o755,
    },
    ...await Promise.all(shared),
    textFile(`${DOC}/copyright`, content.copyright),
    textFile(`${DOC}/dvisor.cdx.json`, content.billOfMaterials),
    await compressed(`${DOC}/changelog`, new TextEncoder().encode(content.changes)),
  ];
}

/** The whole package. */
export async function debianPackage(content: DebianContent): Promise<Blob> {
  const files = await installedFiles(content);
  const sums = files.filter(({ linkTo }) => linkTo === undefined).map(({ path, bytes }) =>
    `${createHash("md5").update(bytes).digest("hex")}  ${path}\n`
  );
  const control = [
    textFile("control", controlText(content.version, files)),
    textFile("md5sums", sums.sort().join("")),
  ];
  return arOf([
    ["debian-binary", new Blob(["2.0\n"])],
    ["control.tar.gz", await gzip(tarOf(below(".", control), true))],
    ["data.tar.gz", await gzip(tarOf(below(".", files), true))],
  ]);
}
