/**
 * Checksums and compression of snapshot files, by the modules of Node that Deno has. They are got
 * when they are needed: to load them takes 9 ms, and few sandboxes write a snapshot.
 */

import type { Codec } from "./format.ts";

/** The parts of `node:zlib` and `node:crypto` that are used. */
interface Zlib {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  crc32(bytes: Uint8Array, before: number): number;
  zstdCompressSync(
    bytes: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
  ): Uint8Array;
  zstdDecompressSync(
    bytes: Uint8Array,
    options: { readonly maxOutputLength: number },
  ): Uint8Array<ArrayBuffer>;
}
interface Crypto {
  createHash(name: string): { update(bytes: Uint8Array): { digest(): Uint8Array } };
}
interface Process {
  getBuiltinModule(name: "node:zlib"): Zlib;
  getBuiltinModule(name: "node:crypto"): Crypto;
}

class NodeCodec implements Codec {
  readonly #zlib: Zlib;
  readonly #crypto: Crypto;

  constructor(zlib: Zlib, crypto: Crypto) {
    this.#zlib = zlib;
    this.#crypto = crypto;
  }

  crc32(bytes: Uint8Array, before: number): number {
    return this.#zlib.crc32(bytes, before);
  }
  sha256(bytes: Uint8Array): Uint8Array {
    return new Uint8Array(this.#crypto.createHash("sha256").update(bytes).digest());
  }
  compress(bytes: Uint8Array, level: number): Uint8Array {
    const params = { [this.#zlib.constants.ZSTD_c_compressionLevel]: level };
    return this.#zlib.zstdCompressSync(bytes, { params });
  }
  expand(bytes: Uint8Array, limit: number): Uint8Array<ArrayBuffer> {
    return this.#zlib.zstdDecompressSync(bytes, { maxOutputLength: limit });
  }
}

/** The modules are parts of the runtime: a confined process can load them. */
export function openCodec(): Codec {
  const process: Process = Reflect.get(globalThis, "process");
  return new NodeCodec(
    process.getBuiltinModule("node:zlib"),
    process.getBuiltinModule("node:crypto"),
  );
}
