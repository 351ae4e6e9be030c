/**
 * eBPF programs that bpf(2) has loaded, by id. A program lives as long as a descriptor or a control
 * group refers to it.
 */

import type { Account } from "../core/account.ts";
import { EBPF_INSTRUCTIONS, type EbpfProgram } from "../bpf/ebpf_program.ts";

/** struct bpf_cgroup_dev_ctx: access_type, major, minor. */
const CONTEXT_BYTES = 12;

/** Whether a program may load these bytes; loads of access_type may be narrow, as on Linux. */
export function mayLoadContext(offset: number, bytes: number): boolean {
  if (offset < 0 || offset + bytes > CONTEXT_BYTES || offset % bytes !== 0) return false;
  return bytes === 4 || (bytes < 4 && offset < 4);
}

/** A loaded program, with a count of references. */
export class LoadedProgram {
  /** The account that the program is charged to. */
  readonly account: Account;
  readonly id: number;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  readonly code: EbpfProgram;
  private readonly all: Map<number, LoadedProgram>;
  private refs: number = 1;

  constructor(
    account: Account,
    id: number,
    type: number,
    code: EbpfProgram,
    all: Map<number, LoadedProgram>,
  ) {
    this.account = account;
    this.id = id;
    this.type = type;
    this.code = code;
    this.all = all;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  drop(): void {
    if (--this.refs > 0) return;
    EBPF_INSTRUCTIONS.give(this.code.length, this.account);
    this.all.delete(this.id);
  }
}

/** The programs of a kernel. */
export class BpfPrograms {
  readonly byId: Map<number, LoadedProgram> = new Map();
  private lastId: number = 0;

  /** Adds a program, which the caller holds; null: there are too many. */
  add(type: number, code: EbpfProgram, account: Account): LoadedProgram | null {
    if (!EBPF_INSTRUCTIONS.take(code.length, account)) return null;
    const program = new LoadedProgram(account, ++this.lastId, type, code, this.byId);
    this.byId.set(program.id, program);
    return program;
  }

  /** The lowest id above `id`, or -1. */
  idAfter(id: number): number {
    let found = -1;
    for (const other of this.byId.keys()) {
      if (other > id && (found < 0 || other < found)) found = other;
    }
    return found;
  }
}
