/**
 * Test support: the same program assembled by us and by GNU as, compared byte by byte. Only tests
 * import it.
 */

import { assert, assertEquals } from "@std/assert";
import { Assembler } from "./assembler.ts";
import type { Mem } from "./operands.ts";
import * as registers from "./registers.ts";
import type { Gpr, Size, Xmm } from "./registers.ts";

/** One instruction: the text for GNU as (Intel syntax) and the call for us. */
export type Case = readonly [text: string, emit: (a: Assembler) => void];

const ALL = Object.values(registers).sort((a, b) => a.code - b.code);
export const GPRS: Gpr[] = ALL.filter((r) => r.kind === "gpr");
export const REGS64 = GPRS.filter((r): r is Gpr<8> => r.size === 8);
export const REGS8 = GPRS.filter((r): r is Gpr<1> => r.size === 1);
export const XMMS: Xmm[] = ALL.filter((r) => r.kind === "xmm");
export const SIZES: readonly Size[] = [1, 2, 4, 8];

const POINTER: Record<Size | 16, string> = {
  1: "byte ptr ",
  2: "word ptr ",
  4: "dword ptr ",
  8: "qword ptr ",
  16: "xmmword ptr ",
};

/**
 * General purpose registers of one size: without REX, with REX, and those with special encodings.
 */
export function gprs(size: Size): Gpr[] {
  return GPRS.filter((r) => r.size === size && [0, 1, 4, 5, 7, 8, 12, 15].includes(r.code));
}

/** An operand in Intel syntax; `size` is that of memory. */
export function text(op: Gpr | Xmm | Mem | number, size?: Size | 16): string {
  if (typeof op === "number") return `${op}`;
  if (op.kind !== "mem") return op.name;
  const parts = [
    op.label === null ? [] : ["rip", op.label],
    op.base === null ? [] : [op.base.name],
    op.index === null ? [] : [`${op.index.name}*${op.scale}`],
  ].flat().join(" + ");
  const disp = parts !== "" && op.disp >= 0 ? ` + ${op.disp}` : `${op.disp}`;
  const ptr = size === undefined ? "" : POINTER[size];
  return `${ptr}${op.seg === null ? "" : `${op.seg}:`}[${parts}${disp}]`;
}

/** A test that compares `cases()` with GNU as, or is ignored with the reason in its name. */
export function gnuTest(name: string, cases: () => Iterable<Case>): void {
  const reason = HAS_GNU_AS ? "" : " (skipped: no GNU as and objcopy for x86-64)";
  Deno.test({
    name: name + reason,
    ignore: !HAS_GNU_AS,
    fn: async () => compare([...cases()], await Deno.makeTempDir()),
  });
}

const HAS_GNU_AS = succeeds("as", "--64", "--version") && succeeds("objcopy", "--version");

function succeeds(program: string, ...args: string[]): boolean {
  try {
    const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
    return command.outputSync().success;
  } catch {
    return false;
  }
}

async function compare(cases: Case[], dir: string): Promise<void> {
  try {
    const theirs = await assembleWithGnu(cases.map(([line]) => line), dir);
    const a = new Assembler();
    const starts: number[] = [];
    for (const [line, emit] of cases) {
      starts.push(a.length);
      try {
        emit(a);
      } catch (e) {
        throw new Error(`cannot assemble "${line}"`, { cause: e });
      }
    }
    const ours = a.assemble();
    assert(cases.length > 0);
    // The first difference is the only meaningful one: after it the two may be out of step.
    cases.forEach(([line], i) => {
      const start = starts[i] ?? 0;
      const end = starts[i + 1] ?? ours.length;
      assertEquals(ours.slice(start, end).toHex(), theirs.slice(start, end).toHex(), line);
    });
    assertEquals(ours.length, theirs.length);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function assembleWithGnu(lines: string[], dir: string): Promise<Uint8Array> {
  await Deno.writeTextFile(`${dir}/a.s`, `.intel_syntax noprefix\n${lines.join("\n")}\n`);
  await run("as", "--64", "-o", `${dir}/a.o`, `${dir}/a.s`);
  await run("objcopy", "-O", "binary", "-j", ".text", `${dir}/a.o`, `${dir}/a.bin`);
  return await Deno.readFile(`${dir}/a.bin`);
}

async function run(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} failed:\n${new TextDecoder().decode(stderr)}`);
}
