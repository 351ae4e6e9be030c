/**
 * A part's compiled code, as V8 keeps it. The build lets a binary run a rehearsal, and puts what V8 compiled for that at the end
 * of the real one: there V8 need not even parse the part's text, of which most is not used by most sandboxes.
 *
 * It comes out of the executable as the text does, and from nowhere else. V8 refuses code of another version or with other
 * flags, and compiles the text then. Neighbours: parts.ts runs parts; tools/build/rehearsal.ts.
 */

/** What is used of V8's interface in `node:vm`. */
interface Script {
  runInThisContext(): unknown;
  createCachedData(): Uint8Array;
}

interface VmModule {
  readonly Script: new (text: string, options: { cachedData?: Uint8Array }) => Script;
}

declare global {
  /** Set by the build in the binary that rehearses. */
  var dvisorRehearsal: { script: Script | null } | undefined;
}

/** Ends the file; the length of the code stands in front of it, the code in front of that. */
const MAGIC = "dvisorcc";
const TRAILER_BYTES = 16;

/** Compiled code with the trailer by which it is found at the end of a file. */
export function withTrailer(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(code.length + TRAILER_BYTES);
  bytes.set(code);
  new DataView(bytes.buffer).setFloat64(code.length, code.length, true);
  for (let i = 0; i < MAGIC.length; i++) bytes[code.length + 8 + i] = MAGIC.charCodeAt(i);
  return bytes;
}

/** Bytes of the code in front of a trailer; 0 when it is none. */
function lengthIn(trailer: Uint8Array<ArrayBuffer>): number {
  if (trailer.length !== TRAILER_BYTES) return 0;
  for (let i = 0; i < MAGIC.length; i++) if (trailer[8 + i] !== MAGIC.charCodeAt(i)) return 0;
  return new DataView(trailer.buffer, trailer.byteOffset).getFloat64(0, true);
}

/** What `withTrailer` made, at the end of the file `path`; null when it is not there. */
export function compiledCodeIn(path: string): Uint8Array<ArrayBuffer> | null {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  if (size < TRAILER_BYTES) return null;
  const length = lengthIn(readAt(file, size - TRAILER_BYTES, TRAILER_BYTES));
  if (!(length > 0 && length <= size - TRAILER_BYTES)) return null;
  return readAt(file, size - TRAILER_BYTES - length, length);
}

function readAt(file: Deno.FsFile, at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const n = file.readSync(bytes.subarray(done));
    if (n === null) throw new Error("a file has become shorter");
    done += n;
  }
  return bytes;
}

/** Runs a part's text, by its compiled code if V8 takes it. */
export async function runCompiled(
  text: string,
  code: Uint8Array<ArrayBuffer> | null,
): Promise<void> {
  // No literal, so that the build does not follow it.
  const name = "node:vm";
  const vm: VmModule = await import(name);
  const script = new vm.Script(text, code === null ? {} : { cachedData: code });
  if (globalThis.dvisorRehearsal !== undefined) globalThis.dvisorRehearsal.script = script;
  await script.runInThisContext();
}

/** After a rehearsal: what V8 compiled for it, with the trailer. Else null. */
export function rehearsedCode(): Uint8Array<ArrayBuffer> | null {
  const code = globalThis.dvisorRehearsal?.script?.createCachedData();
  return code === undefined ? null : withTrailer(code);
}
