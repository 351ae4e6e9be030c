/**
 * Instructions, and short runs of them, that involve ring 0, segments, the FPU or addresses that
 * are not the guest's.
 *
 * Neighbour: `programs_testing.ts` makes programs of them. Source: Intel SDM vol. 2, AMD APM vol.
 * 3.
 */

/**
 * Marks that stand for any byte, any word, an address, a place in the code, a selector, one of two
 * bytes, flags.
 */
export const ANY_BYTE = -1, ANY_WORD = -2, ADDRESS = -3, PLACE = -4, SELECTOR = -5;
export const WIDE_SELECTOR = -6, FLAGS = -7;

const MARKS: Readonly<Record<string, readonly [mark: number, bytes: number]>> = {
  ib: [ANY_BYTE, 1],
  id: [ANY_WORD, 4],
  iq: [ADDRESS, 8],
  cd: [PLACE, 4],
  sb: [SELECTOR, 1],
  sw: [WIDE_SELECTOR, 2],
  fd: [FLAGS, 4],
};

export interface Piece {
  /** Bytes, and marks for the parts that are drawn at random. */
  readonly tokens: readonly number[];
  readonly bytes: number;
}

/** Reads a pattern of hexadecimal bytes and names of marks. */
const TEXT = `
  // Calls and gates.
  0f 05, b8 id 0f 05, 0f 34, cd ib, cd 80, cc, f1, ce, 0f 0b, 0f ff ib, 0f b9 ib, 0f 07, 48 0f 07,
  0f 35, 48 0f 35
  // Returns, calls and jumps to other segments.
  48 cf, cf, cb, 48 cb, ca ib ib, 6a sb 54 68 fd 6a sb 68 cd 48 cf, 6a sb 68 cd 48 cb,
  6a 2b 54 68 fd 6a 33 68 cd 48 cf, 6a 00 54 68 fd 6a 33 68 cd 48 cf, 6a 33 68 cd 48 cb,
  48 b8 cd sw 00 00 50 ff 2c 24, 48 b8 cd sw 00 00 50 ff 1c 24, ff 2b, 48 ff 2b, ff 1b,
  6a sb 68 cd cf, 6a 2b 48 bb iq 53 68 fd 6a 33 68 cd 48 cf,
  6a 2b 54 68 fd 6a 33 48 bb iq 53 48 cf
  // Segments.
  66 b8 sw 8e d0, 66 b8 sw 8e d8, 66 b8 sw 8e c0, 66 b8 sw 8e e0, 66 b8 sw 8e e8, 66 b8 sw 8e c8,
  8c c8, 8c d0, 0f a0, 0f a1, 0f a8, 0f a9, 0f b2 23, 0f b4 23, 48 0f b5 23, 0f 03 d8, 0f 02 d8,
  0f 00 e0, 0f 00 e8, 0f 00 c8, 0f 00 c0, 66 b8 sw 0f 00 d8, 66 b8 sw 0f 00 d0
  // What a load of ss holds back falls on the next instruction.
  66 b8 2b 00 8e d0 0f 05, 66 b8 2b 00 8e d0 cc, 66 b8 2b 00 8e d0 f1, 66 b8 2b 00 8e d0 cd 80,
  66 b8 2b 00 8e d0 0f 0b, 66 b8 2b 00 68 02 03 00 00 9d 8e d0 0f 05,
  66 b8 2b 00 68 02 03 00 00 9d 8e d0 cc, 68 02 03 00 00 9d 0f 05, 68 02 03 00 00 9d 90
  // Bases.
  48 bb iq f3 48 0f ae d3, 48 bb iq f3 48 0f ae db, f3 48 0f ae c0, f3 48 0f ae c8,
  64 48 8b 04 25 id, 65 48 89 04 25 id, f3 0f ae d3, 0f 01 f8
  // Flags.
  68 fd 9d, 68 id 9d, 9c, 66 9d, fa, fb, fd, 9e, 0f 01 ca, 0f 01 cb
  // Ports.
  e4 ib, e5 ib, e6 ib, e7 ib, e6 10, e4 10, ec, ed, ee, ef, 66 ba ib ib ee, 66 ba ib ib ec, 6c,
  6d, 6e, 6f, f3 6c, f3 6e, 66 ba 10 00 f3 6e, e6 4e, e7 10, 66 e7 10
  // Of ring 0.
  f4, 0f 30, 0f 32, b9 id 0f 32, b9 82 00 00 c0 0f 30, b9 80 00 00 c0 0f 32, 0f 33, 0f 06, 0f 08,
  0f 09, 0f 01 3b, 0f 01 13, 0f 01 1b, 0f 01 03, 0f 01 0b, 0f 01 f0, 0f 01 e0, 0f 20 c0, 0f 22 c0,
  0f 20 d8, 0f 22 d8, 0f 20 e0, 0f 22 e0, 44 0f 20 c0, 44 0f 22 c0, 0f 21 c0, 0f 23 c0, 0f 21 f8,
  0f 23 f8, 0f 78 db, 0f 79 db, 66 0f 38 82 03, 66 0f 38 80 03, 66 0f 38 81 03, 0f aa, 0f 37
  // Of machines and enclaves.
  0f 01 c0, 0f 01 c1, 0f 01 c2, 0f 01 c3, 0f 01 c4, 0f 01 cf, 0f 01 d7, 0f 01 d4, 0f 01 d5,
  0f 01 d6, 0f 01 d8, 0f 01 d9, 0f 01 da, 0f 01 db, 0f 01 dc, 0f 01 dd, 0f 01 de, 0f 01 df,
  0f 01 d9 b8 id 0f 01 c1, 0f c7 33, 66 0f c7 33, f3 0f c7 33, 0f c7 3b
  // What the processor is, and its time.
  0f a2, b8 id 0f a2, 0f 31, 0f 01 f9, f3 0f c7 f8, 0f 01 fd, 0f c7 f0, 0f c7 f8, 0f 01 d0,
  31 c9 0f 01 d0, 0f 01 d1, 31 c9 0f 01 d1
  // Waiting.
  f3 90, 0f 01 c8, 0f 01 c9, 0f 01 fa, 0f 01 fb, f3 0f ae f3, f2 0f ae f3, 66 0f ae f3
  // State of the FPU, from bytes that are none.
  b8 id ba id 0f ae 27, b8 id ba id 0f ae 2f, b8 id ba id 48 0f ae 2f, b8 id ba id 0f ae 37,
  b8 id ba id 0f c7 27, b8 id ba id 0f c7 2f, b8 id ba id 0f c7 1f, 0f ae 07, 0f ae 0f, 0f ae 17,
  0f ae 1f, d9 27, dd 27, d9 37, 9b, d9 d0 9b, 0f 77, db e2, db e3, 0f ae e8, c5 f8 77,
  68 id 0f ae 14 24, d9 ib, dd ib, df ib, 0f 58 ib, f2 0f 5e c1
  // Keys, shadow stacks, transactions.
  0f 01 ee, 0f 01 ef, 31 c9 31 d2 0f 01 ef, f3 0f 01 e8, f3 0f 01 2b, f3 0f 01 ea, f3 48 0f ae e8,
  0f 38 f6 03, 66 0f 38 f5 03, f3 0f 1e c8, f3 0f ae 33, c7 f8 02 00 00 00, c6 f8 ib, 0f 01 d5
  // Caches.
  0f ae 3b, 66 0f ae 3b, 66 0f ae 33, 0f 01 fc, 0f 0d 0b, 0f 18 0b, 0f 1c 03, 0f ae f0
  // Strings, over the ends of what is mapped.
  f3 a4, f3 48 a5, f3 aa, f3 48 ab, f3 48 ad, f2 ae, f3 a6, fd f3 a4, fd f3 48 ab,
  48 bf iq b9 ib 00 00 00 f3 aa, 48 be iq b9 ib 00 00 00 f3 a4
  // Addresses that are no place of a program.
  48 bb iq 48 8b 03, 48 bb iq 48 89 03, 48 bb iq ff e3, 48 bb iq ff d3, 48 bb iq f0 48 0f c1 03,
  48 bb iq c5 fe 6f 03, 48 bc iq 50, 48 bc iq 58, 48 bc iq c3, 48 bc iq e8 id, 48 bc iq cc,
  48 bc iq 0f 05, 48 bc iq 0f 0b, 48 bd iq c9, c8 ib ib ib, c3, 48 b9 iq ff e1,
  48 bb iq 48 0f c7 0b, 48 a1 iq, 48 a3 iq, 48 b9 iq 0f 05, 0f 05 ff e1, ff e4, ff 23, ff 13,
  e9 id, eb ib, e8 id, 48 bb iq 0f 05 ff e3, 49 bb iq 0f 05
  // Prefixes, and what they are not for.
  f0 90, 66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90, f0 f0 0f 05, 48 48 0f 05, 2e 0f 05,
  f3 0f 05, f2 0f 05, 66 0f 05, 4f 0f 05, 67 8b 03, 64 65 8b 03, 26 cf, c4 ib ib ib ib,
  c5 ib ib ib, 62 ib ib ib ib ib ib, 8f ib ib ib ib, d5 ib ib ib, 0f ib ib ib, 0f 38 ib ib ib,
  0f 3a ib ib ib ib, 66 0f ib ib ib, f3 0f ib ib ib, f2 0f ib ib ib, 48 0f ib ib ib
  // A loop, which has to be kicked.
  eb fe, e2 fe, ff c8 75 fc
`;

export const PIECES: readonly Piece[] = TEXT.split("\n")
  .filter((line) => !line.trim().startsWith("//"))
  .flatMap((line) => line.split(",")).map((text) => text.trim()).filter((text) => text !== "")
  .map(parse);

function parse(text: string): Piece {
  const words = text.split(" ");
  return {
    tokens: words.map((word) => MARKS[word]?.[0] ?? parseInt(word, 16)),
    bytes: words.reduce((sum, word) => sum + (MARKS[word]?.[1] ?? 1), 0),
  };
}
