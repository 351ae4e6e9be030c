/**
 * Machine code that was assembled when the binary was built. Assembling takes longer than anything
 * else at the start of a process, and the assembler is as large as a small verb, so binaries have
 * the bytes in `globalThis.dvisorPrebuilt`. A program that runs from sources imports the module
 * that assembles when it needs it.
 */

export interface AssembledImage {
  readonly elf: Uint8Array<ArrayBuffer>;
  /** Offsets by name, in bytes; their meaning belongs to the image. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Offsets in `elf` at which 8 bytes have to be changed before it runs. */
  readonly patches: readonly number[];
}

/** The image as text, which the build stores. */
export interface PrebuiltImage {
  readonly elf: string;
  readonly offsets: Readonly<Record<string, number>>;
  readonly patches: readonly number[];
}

declare global {
  /** Set by the build, in front of the program: images by name. */
  var dvisorPrebuilt: Readonly<Record<string, PrebuiltImage>> | undefined;
}

/** The export of a module that assembles. */
interface AssemblingModule {
  assemble(): AssembledImage;
}

/** The image with its bytes in Base64, as a build embeds it. */
export function toText(image: AssembledImage): PrebuiltImage {
  return { ...image, elf: image.elf.toBase64() };
}

/**
 * The image from the build, or assembled by a module now.
 *
 * @param module address of the module: not a literal of an import, so that builds leave the module
 * out
 */
export async function assembled(name: string, module: URL): Promise<AssembledImage> {
  const prebuilt = globalThis.dvisorPrebuilt?.[name];
  if (prebuilt !== undefined) return { ...prebuilt, elf: Uint8Array.fromBase64(prebuilt.elf) };
  const assembling: AssemblingModule = await import(module.href);
  return assembling.assemble();
}
