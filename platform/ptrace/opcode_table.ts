/**
 * The opcode maps of x86-64, as far as one asks how long an instruction is and whether it writes
 * its memory operand.
 *
 * One character an opcode, sixteen a row. Neighbour: `instruction.ts` reads it. Source: Intel SDM
 * vol. 2 appendix A.
 *
 *     .  no operand in memory            b z  an immediate of 1 byte, of 2 or 4
 *     r  ModRM, reads memory             R Y  the same with an immediate of 1 byte, of 2 or 4
 *     w  ModRM, writes (or both)         W Z  the same with an immediate of 1 byte, of 2 or 4
 *     n  ModRM, no access                I    an immediate of the operand's size, up to 8 bytes
 *     p  pushes                          B P  pushes, with an immediate of 1 byte, of 4
 *     q  pops                            t    pops, with an immediate of 2 bytes
 *     >  ModRM, reads memory and pushes  <    ModRM, pops and writes memory
 *     l  string or table, reads          s    string, writes [rdi]
 *     v  string, reads [rsi], writes [rdi]
 *     S  ModRM without memory, writes [rdi]
 *     o  reads an absolute address       O    writes an absolute address
 *     g  depends on the reg field        e    ENTER: pushes, 3 bytes of immediates
 */

/** One-byte opcodes; prefixes and escapes are handled before. */
export const ONE_BYTE = [
  "wwrrbz..wwrrbz..", // 00
  "wwrrbz..wwrrbz..",
  "wwrrbz..wwrrbz..",
  "wwrrbz..rrrrbz..",
  "................", // 40
  "ppppppppqqqqqqqq",
  "...r....PYBR....",
  "bbbbbbbbbbbbbbbb",
  "gg.grrwwwwrrwnrg", // 80
  "............pq..",
  "ooOOvvllbzssllll",
  "bbbbbbbbIIIIIIII",
  "WWtq..WZeqtq.b.q", // c0
  "wwww...lgggggggg",
  "bbbbbbbbPz.b....",
  "......gg......gg",
].join("");

/** Opcodes behind 0f; with a VEX or EVEX prefix those of map 1. */
export const TWO_BYTE = [
  "rrrr.........n..", // 00
  "rwrwrrrwnnnnnnnn",
  "nnnn....rwrwrrrr",
  "................",
  "rrrrrrrrrrrrrrrr", // 40
  "rrrrrrrrrrrrrrrr",
  "rrrrrrrrrrrrrrrr",
  "RRRRrrr.rrrrrrgw",
  "zzzzzzzzzzzzzzzz", // 80
  "wwwwwwwwwwwwwwww",
  "pq.rWw..pq.wWwgr",
  "wwrwrrrrrngwrrrr",
  "wwRwRRRg........", // c0
  "rrrrrrwrrrrrrrrr",
  "rrrrrrrwrrrrrrrr",
  "rrrrrrrgrrrrrrrn",
].join("");

/**
 * Memory forms of the x87 opcodes d8 to df: digits of the reg field that write; the others read.
 */
export const X87_WRITES = ["", "2367", "", "1237", "", "12367", "", "12367"];

/** Opcodes behind 0f 38 that write memory, by prefix. All have ModRM and no immediate. */
export const MAP2_WRITES_VEX = [0x2e, 0x2f, 0x8e];
export const MAP2_WRITES_EVEX = [0x63, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3];
/** Their rows of narrowing moves, with EVEX and F3. */
export const MAP2_NARROWING_ROWS = [0x10, 0x20, 0x30];
/** MOVBE, MOVDIR64B, MOVDIRI and the atomics; not with F2, where f1 is CRC32. */
export const MAP2_WRITES_LEGACY = [0xf1, 0xf8, 0xf9, 0xfc];
/**
 * Opcodes behind 0f 3a that write memory; all of the map have ModRM and an immediate of one byte.
 */
export const MAP3_WRITES = [0x14, 0x15, 0x16, 0x17, 0x19, 0x1b, 0x1d, 0x39, 0x3b];
