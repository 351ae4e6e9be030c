/**
 * The entries behind an executable in its file, by name: the texts of the programs inside the
 * binary, and the code that V8 compiled of them. A process reads the one that it needs; the others
 * cost nothing.
 *
 * At the end of the file are a mark and the length of the index, in front of them the index, and in
 * front of that the entries in its order. Neighbours: oci/parts.ts reads, tools/build writes.
 */

const MAGIC = "dvisor-1";
const TRAILER_BYTES = 16;

/** Makes the bytes to append to a file. */
export function encodeAppendix(
  entries: ReadonlyMap<string, Uint8Array>,
): Uint8Array<ArrayBuffer> {
  const sizes = [...entries].map(([name, bytes]) => [name, bytes.length]);
  const index = new TextEncoder().encode(JSON.stringify(sizes));
  const total = [...entries.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const out = new Uint8Array(total + index.length + TRAILER_BYTES);
  let at = 0;
  for (const bytes of [...entries.values(), index]) {
    out.set(bytes, at);
    at += bytes.length;
  }
  new DataView(out.buffer).setFloat64(at, index.length, true);
  for (let i = 0; i < MAGIC.length; i++) out[at + 8 + i] = MAGIC.charCodeAt(i);
  return out;
}

interface Place {
  readonly at: number;
  readonly size: number;
}

export class Appendix implements Disposable {
  readonly #file: Deno.FsFile;
  readonly #places: ReadonlyMap<string, Place>;

  private constructor(file: Deno.FsFile, places: ReadonlyMap<string, Place>) {
    this.#file = file;
    this.#places = places;
  }

  /** The appendix of the file `path`; null when it has none. */
  static open(path: string): Appendix | null {
    const file = Deno.openSync(path);
    const places = placesIn(file);
    if (places !== null) return new Appendix(file, places);
    file.close();
    return null;
  }

  /** An entry; null when there is none of this name. */
  read(name: string): Uint8Array<ArrayBuffer> | null {
    const place = this.#places.get(name);
    return place === undefined ? null : readAt(this.#file, place.at, place.size);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

function placesIn(file: Deno.FsFile): Map<string, Place> | null {
  const end = file.statSync().size - TRAILER_BYTES;
  if (end < 0) return null;
  const trailer = readAt(file, end, TRAILER_BYTES);
  for (let i = 0; i < MAGIC.length; i++) if (trailer[8 + i] !== MAGIC.charCodeAt(i)) return null;
  const indexBytes = new DataView(trailer.buffer).getFloat64(0, true);
  if (!(indexBytes > 0 && indexBytes <= end)) return null;
  const text = new TextDecoder().decode(readAt(file, end - indexBytes, indexBytes));
  const sizes: [string, number][] = JSON.parse(text);
  let at = end - indexBytes - sizes.reduce((sum, [, size]) => sum + size, 0);
  if (at < 0) return null;
  const places = new Map<string, Place>();
  for (const [name, size] of sizes) {
    places.set(name, { at, size });
    at += size;
  }
  return places;
}

function readAt(file: Deno.FsFile, at: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const n = file.readSync(bytes.subarray(done));
    if (n === null) throw new Error("the executable has become shorter");
    done += n;
  }
  return bytes;
}
