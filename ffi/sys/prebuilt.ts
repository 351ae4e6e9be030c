/**
 * Machine code that was assembled when the binary was built. Assembling takes longer than anything else at the start of a
 * process, and the assembler is as large as a small verb: binaries have the bytes in `globalThis.dvisorPrebuilt`.
 * Run from sources, a program imports the module that assembles, and only then.
 */

export interface AssembledImage {
  readonly elf: Uint8Array<ArrayBuffer>;
  /** Places by name, in bytes: which, and from where, is the image's own affair. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Where in `elf` 8 bytes have to be changed before it runs. */
  readonly patches: readonly number[];
}

/** The image in text: what the build keeps. */
export interface PrebuiltImage {
  readonly elf: string;
  readonly offsets: Readonly<Record<string, number>>;
  readonly patches: readonly number[];
}

declare global {
  /** Set by the build, in front of the program: images by name. */
  var dvisorPrebuilt: Readonly<Record<string, PrebuiltImage>> | undefined;
}

/** What such a module exports. */
interface AssemblingModule {
  assemble(): AssembledImage;
}

export function toText(image: AssembledImage): PrebuiltImage {
  return { ...image, elf: image.elf.toBase64() };
}

/**
 * What the build made, or what a module assembles now.
 *
 * @param module address of the module: no literal of an import, so that builds leave it out
 */
export async function assembled(name: string, module: URL): Promise<AssembledImage> {
  const prebuilt = globalThis.dvisorPrebuilt?.[name];
  if (prebuilt !== undefined) return { ...prebuilt, elf: Uint8Array.fromBase64(prebuilt.elf) };
  const assembling: AssemblingModule = await import(module.href);
  return assembling.assemble();
}
