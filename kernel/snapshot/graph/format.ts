/**
 * The encoding of a graph of objects: its sections, and the numbers in them. The encoder writes it,
 * the decoder reads it.
 *
 *     header   the lengths of the sections in bytes, each a 32-bit word
 *     tables   strings, shapes, buffers
 *     heads    for each object, in the order of their numbers: what it is
 *     records  for each array, map, set and object of a shape: what is in it
 *     saved    for each anchor: what its rule has saved
 *     bytes    the content of the buffers, each at a multiple of 8
 *
 * Numbers are varints: 7 bits a byte, the lowest first; the highest bit says that more follow.
 *
 *     strings  count; each: 2 * length + isWide, then a byte or two for each unit of UTF-16
 *     shapes   count; each: SHAPE_CLASS and the string of its name, or SHAPE_PLAIN or SHAPE_BARE
 *              (without a prototype), the number of keys, and their strings
 *     buffers  count; each: 2 * length + isWhole; one view alone has a whole buffer
 *
 *     head     2 * kind + isFrozen, then
 *              BUFFER: number of a buffer; a view: that, offset in bytes, number of elements
 *              KEPT: place in the list of objects that a copy shares with the original
 *              CONSTANT, and a class of constants: the string of the name
 *              a derived class: the object in which it was met first
 *     record   ARRAY: length, values; MAP: size, keys and values in turn; SET: size, values
 *              a shape: the values of its fields that are encoded
 *     saved    count, values
 *
 * A value is a varint whose two lowest bits are a tag. The rest is
 *
 *     TAG_SPECIAL  one of the numbers below; behind some of them more follows
 *     TAG_INT      a small integer, signed (zigzag)
 *     TAG_STRING   the number of a string
 *     TAG_OBJECT   the number of an object
 */

export const HEADER_BYTES = 20, BUFFER_ALIGNMENT = 8;

/** Where the next buffer can begin. */
export function aligned(offset: number): number {
  return Math.ceil(offset / BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT;
}

export const SHAPE_CLASS = 0, SHAPE_PLAIN = 1, SHAPE_BARE = 2;

export const TAG_SPECIAL = 0, TAG_INT = 1, TAG_STRING = 2, TAG_OBJECT = 3;
export const TAG_BITS = 2, TAG_MASK = 3;

/** Special values, with the tag (which is 0). Behind LATER: the number of a derived object. */
export const NULL = 0 << 2, UNDEFINED = 1 << 2, TRUE = 2 << 2, FALSE = 3 << 2, HOLE = 4 << 2;
/** Behind DOUBLE: 8 bytes; POSITIVE, NEGATIVE: the magnitude; BIGINT: a string in base 16. */
export const DOUBLE = 5 << 2, POSITIVE = 6 << 2, NEGATIVE = 7 << 2, BIGINT = 8 << 2;
export const LATER = 9 << 2;

/** Integers from -SMALL_END to SMALL_END - 1 have TAG_INT. */
export const SMALL_END = 2 ** 27;

export const ARRAY = 0, MAP = 1, SET = 2, BUFFER = 3, KEPT = 4, CONSTANT = 5;
/** Views follow, in the order of VIEWS (buffers.ts). */
export const FIRST_VIEW = 6;
/** Shapes follow. */
export const FIRST_SHAPE = 32;

/** LIMIT: objects of a graph; V8 has no larger maps. */
export const OBJECTS_MAX = 2 ** 24;
/** LIMIT: bytes of an image. */
export const IMAGE_MAX = 2 ** 31;
/** LIMIT: elements of an array, holes as well. */
export const ARRAY_MAX = 2 ** 26;
/** LIMIT: bytes of a buffer; a larger one is memory of the host, which is no data. */
export const BUFFER_MAX = 2 ** 26;
/** LIMIT: digits of a bigint, in base 16. */
export const BIGINT_DIGITS_MAX = 1024;
