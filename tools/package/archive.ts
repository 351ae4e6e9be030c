/**
 * Archives of packages: tar (POSIX ustar), ar, gzip. The same files make the same bytes: they are
 * sorted, belong to root and have the time 0.
 */

/** A file of an archive. */
export interface ArchiveFile {
  /** Relative, of up to 255 bytes; an archive has each directory above it that `path` names. */
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mode: number;
  /** The path of the file of this archive that it is a second name of; it has no bytes then. */
  readonly linkTo?: string;
}

const BLOCK = 512, NAME_BYTES = 100, PREFIX_BYTES = 155;
const FILE = "0", OLD_FILE = "", LINK = "1", DIRECTORY = "5";
const text = new TextEncoder();

/** A file of text with mode 0644. */
export function textFile(path: string, content: string): ArchiveFile {
  return { path, bytes: text.encode(content), mode: 0o644 };
}

/** Files below a directory, for one archive with others. */
export function below(directory: string, files: readonly ArchiveFile[]): ArchiveFile[] {
  return files.map((file) => ({
    ...file,
    path: `${directory}/${file.path}`,
    ...file.linkTo === undefined ? {} : { linkTo: `${directory}/${file.linkTo}` },
  }));
}

/** @param directories whether directories have entries of their own, as Debian's packages do */
export function tarOf(
  files: readonly ArchiveFile[],
  directories = false,
): Blob {
  const parts: BlobPart[] = [], sorted = files.toSorted(byPath);
  const seen = new Set<string>();
  for (const file of sorted) {
    for (const directory of directories ? directoriesAbove(file.path) : []) {
      if (seen.has(directory)) continue;
      seen.add(directory);
      parts.push(header(`${directory}/`, 0o755, 0, DIRECTORY, ""));
    }
    const { length } = file.bytes, type = file.linkTo === undefined ? FILE : LINK;
    parts.push(header(file.path, file.mode, length, type, file.linkTo ?? ""));
    parts.push(file.bytes, new Uint8Array((BLOCK - length % BLOCK) % BLOCK));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts);
}

/** A link comes behind its file. */
function byPath(a: ArchiveFile, b: ArchiveFile): number {
  if (a.linkTo === undefined !== (b.linkTo === undefined)) return a.linkTo === undefined ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

function directoriesAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** @throws Error if a path is too long */
function header(
  path: string,
  mode: number,
  lenBytes: number,
  type: string,
  linkTo: string,
): Uint8Array<ArrayBuffer> {
  if (linkTo.length > NAME_BYTES) throw new Error(`the path ${linkTo} is too long for a link`);
  const out = new Uint8Array(BLOCK), [prefix, name] = splitPath(path);
  const put = (at: number, value: string) => out.set(text.encode(value), at);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(0, name);
  put(100, `${octal(mode, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`);
  put(124, `${octal(lenBytes, 11)}\0${octal(0, 11)}\0        ${type}${linkTo}`);
  put(257, "ustar\0" + "00root\0");
  put(297, "root");
  put(345, prefix);
  const sum = out.reduce((total, byte) => total + byte, 0);
  put(148, `${octal(sum, 6)}\0 `);
  return out;
}

function splitPath(path: string): [prefix: string, name: string] {
  if (path.length <= NAME_BYTES) return ["", path];
  const at = path.indexOf("/", path.length - NAME_BYTES - 1);
  if (at < 0 || at > PREFIX_BYTES) throw new Error(`the path ${path} is too long for an archive`);
  return [path.slice(0, at), path.slice(at + 1)];
}

/** The files of an archive that `tarOf` or Deno made. */
export function filesOfTar(tar: Uint8Array<ArrayBuffer>): ArchiveFile[] {
  const files: ArchiveFile[] = [], decoder = new TextDecoder();
  const field = (at: number, length: number) =>
    decoder.decode(tar.subarray(at, at + length)).replace(/\0.*$/s, "");
  for (let at = 0; field(at, NAME_BYTES) !== "";) {
    const prefix = field(at + 345, PREFIX_BYTES), name = field(at, NAME_BYTES);
    const path = prefix === "" ? name : `${prefix}/${name}`;
    const mode = parseInt(field(at + 100, 8), 8), type = field(at + 156, 1);
    const length = parseInt(field(at + 124, 12), 8), start = at + BLOCK;
    const bytes = tar.slice(start, start + length);
    if (type === LINK) files.push({ path, bytes, mode, linkTo: field(at + 157, NAME_BYTES) });
    else if (type === FILE || type === OLD_FILE) files.push({ path, bytes, mode });
    else if (type !== DIRECTORY) throw new Error(`${path} is no file, but "${type}"`);
    at = start + Math.ceil(length / BLOCK) * BLOCK;
  }
  return files;
}

/** An archive of ar(1), as a package of Debian is one. */
export function arOf(members: readonly (readonly [name: string, content: Blob])[]): Blob {
  const parts: BlobPart[] = ["!<arch>\n"];
  for (const [name, content] of members) {
    const fields = [[name, 16], [0, 12], [0, 6], [0, 6], [100644, 8], [content.size, 10]] as const;
    parts.push(fields.map(([value, width]) => String(value).padEnd(width)).join("") + "`\n");
    parts.push(content, content.size % 2 === 0 ? "" : "\n");
  }
  return new Blob(parts);
}

export function gzip(content: Blob): Promise<Blob> {
  return new Response(content.stream().pipeThrough(new CompressionStream("gzip"))).blob();
}

export async function gunzip(content: Blob): Promise<Uint8Array<ArrayBuffer>> {
  const stream = content.stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
