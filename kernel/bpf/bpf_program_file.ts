/** The descriptor that BPF_PROG_LOAD of bpf(2) returns: a reference to a program. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { AnonFile, type AnonFiles } from "../fs/anonfd/anon_inode.ts";

/** Implemented on the task side (kernel/cgroup/bpf_programs.ts). */
interface NumberedProgram {
  readonly id: number;
  readonly type: number;
  readonly code: { readonly length: number };
  drop(): void;
}

export class BpfProgramFile<P extends NumberedProgram> extends AnonFile {
  readonly program: P;

  /** @param program with a reference for the file */
  constructor(account: Account, anon: AnonFiles, flags: number, program: P) {
    super(account, anon, flags);
    this.program = program;
  }

  protected override release(): void {
    this.program.drop();
  }

  override describe(): string {
    return "anon_inode:bpf-prog";
  }

  override fdinfo(): string {
    const { id, type, code } = this.program;
    return `prog_type:\t${type}\nprog_jited:\t0\nmemlock:\t${PAGE_SIZE}\n` +
      `prog_id:\t${id}\nrun_time_ns:\t0\nrun_cnt:\t0\nrecursion_misses:\t0\n` +
      `verified_insns:\t${code.length}\n`;
  }
}
