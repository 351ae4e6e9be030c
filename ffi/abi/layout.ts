/**
 * A small language for C struct layouts: `struct stat { ... }` written in TypeScript.
 *
 * It computes offsets by the System V x86-64 rules (natural alignment, tail padding) once at
 * import, so that a field access on a hot path is `dv.getUint32(at + Stat.at.mode, true)` with a
 * constant. It neither reads nor writes memory. Neighbours: one file for each C header beside this
 * one; probe_test.ts compares every registered layout with a C compiler's.
 */

/** A scalar C type. `ptr` is an 8-byte pointer; `f32`/`f64` are `float`/`double`. */
export type Scalar =
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "i8"
  | "i16"
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "ptr";

/** The properties of a nested struct that a layout needs. */
export interface AnyLayout {
  readonly name: string;
  readonly size: number;
  readonly align: number;
}

/**
 * A field: a scalar, a nested layout, or `[element, count]` (count 0 is a flexible array member).
 */
export type Field = Scalar | AnyLayout | readonly [Scalar | AnyLayout, number];

export type Fields = Readonly<Record<string, Field>>;

/** A struct: its size and alignment in bytes and the byte offset of every field. */
export interface Layout<F extends Fields> extends AnyLayout {
  readonly fields: F;
  /** Byte offset of each field from the start of the struct. */
  readonly at: { readonly [K in keyof F]: number };
  /** Size in bytes of each field (whole array for an array field). */
  readonly sizeOf: { readonly [K in keyof F]: number };
}

export interface LayoutOptions {
  /** `__attribute__((packed))`: no padding anywhere, alignment 1. */
  readonly packed?: boolean;
  /** `__attribute__((aligned(n)))` on the struct. */
  readonly align?: number;
}

const SCALAR_SIZE: Readonly<Record<Scalar, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
  ptr: 8,
};

interface Extent {
  readonly size: number;
  readonly align: number;
}

function isArrayField(field: Field): field is readonly [Scalar | AnyLayout, number] {
  return Array.isArray(field);
}

function extentOf(field: Field): Extent {
  if (typeof field === "string") {
    return { size: SCALAR_SIZE[field], align: SCALAR_SIZE[field] };
  }
  if (isArrayField(field)) {
    const element = extentOf(field[0]);
    return { size: element.size * field[1], align: element.align };
  }
  return { size: field.size, align: field.align };
}

function roundUp(n: number, align: number): number {
  return Math.ceil(n / align) * align;
}

/**
 * Lays out a C struct. `@__PURE__` in front of a call lets a part of the binary that imports other
 * names of the file do without it.
 *
 * @param name the C name, as `"stat"` for `struct stat`
 * @param fields in declaration order
 * @example
 * ```ts
 * const Timespec = layout("timespec", { sec: "i64", nsec: "i64" });
 * Timespec.size; // 16
 * Timespec.at.nsec; // 8
 * ```
 */
export function layout<const F extends Fields>(
  name: string,
  fields: F,
  options: LayoutOptions = {},
): Layout<F> {
  const at = {} as Record<keyof F, number>;
  const sizeOf = {} as Record<keyof F, number>;
  let offset = 0;
  let align = options.align ?? 1;
  for (const key of Object.keys(fields) as (keyof F & string)[]) {
    const extent = extentOf(fields[key] as Field);
    const fieldAlign = options.packed === true ? 1 : extent.align;
    offset = roundUp(offset, fieldAlign);
    at[key] = offset;
    sizeOf[key] = extent.size;
    offset += extent.size;
    if (fieldAlign > align) align = fieldAlign;
  }
  return { name, fields, size: roundUp(offset, align), align, at, sizeOf };
}

/**
 * Lays out a C union: every member at offset 0.
 *
 * @param name the C name
 */
export function union<const F extends Fields>(name: string, fields: F): Layout<F> {
  const at = {} as Record<keyof F, number>;
  const sizeOf = {} as Record<keyof F, number>;
  let size = 0;
  let align = 1;
  for (const key of Object.keys(fields) as (keyof F & string)[]) {
    const extent = extentOf(fields[key] as Field);
    at[key] = 0;
    sizeOf[key] = extent.size;
    if (extent.size > size) size = extent.size;
    if (extent.align > align) align = extent.align;
  }
  return { name, fields, size: roundUp(size, align), align, at, sizeOf };
}
