/**
 * The meaning of a list of device rules: a default and exceptions from it, as the devices
 * controller of cgroup v1 keeps them (security/device_cgroup.c). Also as an eBPF program for cgroup
 * v2 (BPF_PROG_TYPE_CGROUP_DEVICE). Pure functions; device_filter.ts attaches the program.
 */

import type { DeviceRule } from "../../spec/resources_section.ts";

/** BPF_DEVCG_*: the type of the node, and the wanted kinds of access. */
const DEVICE_TYPES = { b: 1, c: 2 } as const;
const ACCESS = { m: 1, r: 2, w: 4 } as const;
const ALL_ACCESS = 7;

interface Exception {
  readonly type: "b" | "c";
  /** null: all of them. */
  readonly major: number | null;
  readonly minor: number | null;
  /** Bits of ACCESS. */
  readonly access: number;
}

interface DevicePolicy {
  readonly isAllowed: boolean;
  readonly exceptions: readonly Exception[];
}

/** Applies rules in order, later ones over earlier ones; without any rule everything is allowed. */
export function devicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  let isAllowed = true;
  const exceptions = new Map<string, Exception>();
  for (const rule of rules) {
    if (rule.type === "a" || rule.type === "p") {
      isAllowed = rule.isAllowed;
      exceptions.clear();
      continue;
    }
    const type = rule.type === "b" ? "b" : "c", { major, minor } = rule;
    const key = `${type} ${major}:${minor}`, old = exceptions.get(key)?.access ?? 0;
    const bits = accessBits(rule.access);
    // A rule that says the same as the default needs no exception, and removes one.
    const access = rule.isAllowed === isAllowed ? old & ~bits : old | bits;
    if (access === 0) exceptions.delete(key);
    else exceptions.set(key, { type, major, minor, access });
  }
  return { isAllowed, exceptions: [...exceptions.values()] };
}

function accessBits(access: string): number {
  let bits = 0;
  for (const letter of access) {
    if (letter === "m" || letter === "r" || letter === "w") bits |= ACCESS[letter];
  }
  return bits;
}

export const INSTRUCTION_BYTES = 8;
/** Opcodes: bpf(2) of the kernel's documentation, instruction-set. */
const LOAD_WORD = 0x61, MOV_REG_32 = 0xbc, AND_32 = 0x54, SHIFT_RIGHT_32 = 0x74;
const JUMP_NOT_EQUAL = 0x55, JUMP_EQUAL = 0x15, MOV = 0xb7, EXIT = 0x95;
/** Registers: result, context and scratch, then what the context holds. */
const R0 = 0, R1 = 1, TYPE = 2, WANTED = 3, MAJOR = 4, MINOR = 5, SCRATCH = 6;

/** The policy as instructions; the program returns 1 to allow. */
export function devicePolicyProgram(policy: DevicePolicy): Uint8Array<ArrayBuffer> {
  const program = new Program();
  // struct bpf_cgroup_dev_ctx: access in the upper half, type in the lower; major; minor.
  program.emit(LOAD_WORD, TYPE, R1, 0, 0).emit(MOV_REG_32, WANTED, TYPE, 0, 0);
  program.emit(AND_32, TYPE, 0, 0, 0xffff).emit(SHIFT_RIGHT_32, WANTED, 0, 0, 16);
  program.emit(LOAD_WORD, MAJOR, R1, 4, 0).emit(LOAD_WORD, MINOR, R1, 8, 0);
  for (const exception of policy.exceptions) emitException(program, policy, exception);
  return program.emit(MOV, R0, 0, 0, policy.isAllowed ? 1 : 0).emit(EXIT, 0, 0, 0, 0).bytes();
}

/** Each test that fails jumps to the next exception. */
function emitException(program: Program, policy: DevicePolicy, exception: Exception): void {
  const { type, major, minor, access } = exception, tests: Test[] = [];
  tests.push([[JUMP_NOT_EQUAL, TYPE, DEVICE_TYPES[type]]]);
  if (policy.isAllowed) {
    // Denied if any of the wanted kinds of access is not allowed.
    tests.push([[MOV_REG_32, SCRATCH, WANTED], [AND_32, SCRATCH, access], [
      JUMP_EQUAL,
      SCRATCH,
      0,
    ]]);
  } else if (access !== ALL_ACCESS) {
    // Every wanted kind of access must be allowed.
    const rest = ALL_ACCESS & ~access;
    tests.push([[MOV_REG_32, SCRATCH, WANTED], [AND_32, SCRATCH, rest], [
      JUMP_NOT_EQUAL,
      SCRATCH,
      0,
    ]]);
  }
  if (major !== null) tests.push([[JUMP_NOT_EQUAL, MAJOR, major]]);
  if (minor !== null) tests.push([[JUMP_NOT_EQUAL, MINOR, minor]]);
  const flat = tests.flat();
  flat.forEach(([opcode, register, operand], i) => {
    const isJump = opcode === JUMP_EQUAL || opcode === JUMP_NOT_EQUAL;
    // Jumps to the instruction after the two that return.
    const offset = isJump ? flat.length - i - 1 + 2 : 0;
    if (opcode === MOV_REG_32) program.emit(opcode, register, operand, 0, 0);
    else program.emit(opcode, register, 0, offset, operand);
  });
  program.emit(MOV, R0, 0, 0, policy.isAllowed ? 0 : 1).emit(EXIT, 0, 0, 0, 0);
}

type Test = (readonly [opcode: number, register: number, operand: number])[];

class Program {
  readonly #instructions: (readonly [number, number, number, number, number])[] = [];

  emit(opcode: number, to: number, from: number, offset: number, immediate: number): this {
    this.#instructions.push([opcode, to, from, offset, immediate]);
    return this;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#instructions.length * INSTRUCTION_BYTES);
    const view = new DataView(bytes.buffer);
    this.#instructions.forEach(([opcode, to, from, offset, immediate], i) => {
      const at = i * INSTRUCTION_BYTES;
      view.setUint8(at, opcode);
      view.setUint8(at + 1, to | from << 4);
      view.setInt16(at + 2, offset, true);
      view.setInt32(at + 4, immediate, true);
    });
    return bytes;
  }
}
