/**
 * A program that is loaded but does not run yet: memory, context and credentials. execve(2) and the
 * first process are made from it.
 *
 * Neighbours: loader/load.ts maps it, cred/exec_credentials.ts decides its credentials, exec.ts
 * puts a task into it.
 */

import { EAGAIN, EPERM } from "../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { MS_NOSUID } from "../../ffi/abi/mount.ts";
import { Ucontext } from "../../ffi/abi/ucontext.ts";
import {
  ADDR_COMPAT_LAYOUT,
  ADDR_NO_RANDOMIZE,
  MMAP_PAGE_ZERO,
  READ_IMPLIES_EXEC,
} from "../../ffi/abi/system.ts";
import {
  type Context,
  CSGSFS,
  EFLAGS,
  RIP,
  RSP,
  USER_CS,
  USER_SS,
} from "../../platform/platform.ts";
import type { Credentials } from "../cred/credentials.ts";
import { execCredentials, type ExecResult } from "../cred/exec_credentials.ts";
import { type CpuFacts, load, type LoadedProgram, type ProgramIds } from "../loader/load.ts";
import type { StackImage } from "../loader/stack_image.ts";
import type { StringList } from "../loader/string_list.ts";
import { MAY_READ } from "../cred/permission.ts";
import { MemoryManager } from "../mm/memory_manager.ts";
import { PatchedSites } from "../mm/patched_sites.ts";
import { inodePermission } from "../vfs/access.ts";
import type { Caller } from "../vfs/caller.ts";
import { openExec } from "../vfs/open.ts";
import type { Mount } from "../vfs/dentry.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { Container } from "./container.ts";
import type { Kernel } from "./kernel_services.ts";
import type { Limits } from "./limits.ts";
import { applyMemoryLimits } from "./memory_limits.ts";
import { setReg } from "./registers.ts";
import { frameFpuSize, initFpu } from "../signal/fpu_state.ts";

/** IF and the bit that is always 1. */
const INITIAL_FLAGS = 0x202;
/** Bytes of a signal frame beside the context: return address, siginfo, red zone and alignment. */
const FRAME_REST = 8 + 128 + 128 + 80;
/** Personality bits that a program which gains privileges does not inherit. */
const PER_CLEAR_ON_SETID = READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT |
  MMAP_PAGE_ZERO;
/**
 * Calls that a program with patched sites of its own makes before a site is patched: most of these
 * programs end earlier.
 */
const CALLS_BEFORE_OWN_SITES = 1000;
/** LIMIT: stack limit of a program that gains privileges. */
export const SECURE_STACK = 8 << 20;
/** LIMIT: bytes of /proc/PID/comm. */
const COMM_LENGTH = 15;

export interface ProgramRequest {
  /** Opened for execution; the caller keeps the reference. */
  readonly file: OpenFile;
  readonly path: string;
  readonly argv: StringList;
  readonly envp: StringList;
  /** The path is useless because a close-on-exec descriptor was closed. */
  readonly isPathGone: boolean;
  readonly personality: number;
  /** Another task could use the program's privileges: it gains none. */
  readonly isUnsafe: boolean;
}

export interface Program {
  readonly mm: MemoryManager;
  readonly ctx: Context;
  readonly cred: Credentials;
  readonly isSecure: boolean;
  /** Personality bits that the caller must not choose for the program. */
  readonly clearedPersonality: number;
  /** The caller may not read the executed file. */
  readonly isUnreadable: boolean;
  /** The binary, with one reference. */
  readonly exe: OpenFile;
  readonly comm: string;
  /** The first stack, whose strings are written before the program runs. */
  readonly stack: StackImage;
}

/** Answers the loader's questions about files and credentials. */
class Opener {
  private readonly caller: Caller;
  private readonly mm: MemoryManager;
  private readonly container: Container | null;
  private readonly request: ProgramRequest;
  /** Decision of `identify`, or -EPERM. */
  result: ExecResult | number = -EPERM;
  isUnreadable: boolean = false;

  constructor(
    caller: Caller,
    container: Container | null,
    mm: MemoryManager,
    request: ProgramRequest,
  ) {
    this.caller = caller;
    this.container = container;
    this.mm = mm;
    this.request = request;
  }

  openExec(path: string): OpenFile | number {
    return openExec(this.caller, AT_FDCWD, path, true, false);
  }

  /**
   * Set-ID bits are ignored: the mount is nosuid, or belongs to a user namespace that is not the
   * caller's (mnt_may_suid).
   */
  private isUntrusted(mount: Mount): boolean {
    const { cred, fs } = this.caller;
    return (mount.flags & MS_NOSUID) !== 0 || mount.namespace !== fs.namespace ||
      !mount.fs.owner.encloses(cred.userNs);
  }

  /**
   * Runs before anything is mapped: settings that a caller chose for its programs do not apply to
   * one with more privileges.
   */
  identify(file: OpenFile, loader: OpenFile | null): ProgramIds {
    const { inode, path } = file, { mm, request } = this;
    const capabilities = inode.getxattr("security.capability");
    this.result = execCredentials(this.caller.cred, {
      uid: inode.uid,
      gid: inode.gid,
      mode: inode.mode,
      isNosuid: path !== null && this.isUntrusted(path.mount),
      capabilities: typeof capabilities === "number" ? null : capabilities,
    }, request.isUnsafe);
    if (typeof this.result === "number") return { ...this.caller.cred, isSecure: true };
    const { cred, isSecure, clearsPersonality } = this.result;
    this.place(cred.uid, isSecure);
    if (!clearsPersonality && (request.personality & ADDR_NO_RANDOMIZE) !== 0) {
      mm.layout = mm.ctx.plainLayout;
    }
    if (isSecure) mm.limits.stack = Math.min(mm.limits.stack, SECURE_STACK);
    mm.ownerNs = this.caller.cred.userNs;
    this.hide(file);
    if (loader !== null) this.hide(loader);
    return { ...cred, isSecure };
  }

  /**
   * Chooses the layout. A caller knows the layout of its own programs, but must not know that of a
   * program with more privileges.
   */
  private place(uid: number, isSecure: boolean): void {
    const { container, mm } = this, { ctx } = mm;
    const account = container?.accounts.ofUser(uid) ?? null;
    if (container === null || account === null || isSecure) {
      mm.layout = ctx.newLayout();
      mm.sites = account === null ? null : new PatchedSites(ctx, account);
      mm.unpatchedCalls = CALLS_BEFORE_OWN_SITES;
      return;
    }
    const { addresses, sites } = container.layouts.of(ctx, uid, account);
    mm.layout = addresses;
    mm.sites = sites.hold();
  }

  /**
   * Marks the memory of a file that the caller may not read: only root of the user namespace in
   * which the file's ids have names may inspect it.
   */
  private hide({ inode }: OpenFile): void {
    if (inodePermission(inode, MAY_READ, this.caller.cred) === 0) return;
    this.isUnreadable = true;
    let ns = this.mm.ownerNs;
    while (ns.parent !== null && !(ns.hasUid(inode.uid) && ns.hasGid(inode.gid))) ns = ns.parent;
    this.mm.ownerNs = ns;
  }
}

/** A loaded program, -errno, or BLOCK: then the same call can be made again. */
export function makeProgram(
  kernel: Kernel,
  caller: Caller,
  container: Container | null,
  limits: Limits,
  request: ProgramRequest,
): Program | number {
  if (!kernel.memory.leavingSpaces.hasRoom(1, caller.account)) return -EAGAIN;
  const template = container?.template ?? null;
  const space = template === null ? kernel.platform.newAddressSpace() : template.fork();
  if (space === null) return -EAGAIN;
  const mm = new MemoryManager(caller.account, kernel.memory, space);
  applyMemoryLimits(mm, limits);
  try {
    return loadInto(mm, kernel, caller, container, request);
  } catch (cause) {
    mm.put();
    throw cause;
  }
}

/** Loads the program into `mm`. After -errno and BLOCK the memory is gone. */
function loadInto(
  mm: MemoryManager,
  kernel: Kernel,
  caller: Caller,
  container: Container | null,
  request: ProgramRequest,
): Program | number {
  const opener = new Opener(caller, container, mm, request);
  const loaded = load(mm, request.file, opener, { ...request, cpu: cpuFacts(kernel) });
  const error = typeof loaded === "number"
    ? loaded
    : typeof opener.result === "number"
    ? opener.result
    : 0;
  const ctx = error === 0 ? mm.space.newContext() : null;
  if (ctx === null || typeof loaded === "number" || typeof opener.result === "number") {
    if (typeof loaded !== "number") loaded.file.drop();
    mm.put();
    return error === 0 ? -EAGAIN : error;
  }
  setInitialRegs(ctx, loaded);
  return {
    mm,
    ctx,
    cred: opener.result.cred,
    isSecure: opener.result.isSecure,
    clearedPersonality: opener.result.clearsPersonality ? PER_CLEAR_ON_SETID : 0,
    isUnreadable: opener.isUnreadable,
    exe: loaded.file,
    comm: request.path.slice(request.path.lastIndexOf("/") + 1).slice(0, COMM_LENGTH),
    stack: loaded.stack,
  };
}

/** Releases a program that is not going to run. */
export function discardProgram(program: Program): void {
  try {
    program.ctx.release();
    program.exe.drop();
  } finally {
    program.mm.put();
  }
}

function setInitialRegs(ctx: Context, loaded: LoadedProgram): void {
  const { regs } = ctx;
  for (let i = 0; i < regs.byteLength; i += 4) regs.setUint32(i, 0, true);
  setReg(regs, RIP, loaded.entry);
  setReg(regs, RSP, loaded.stack.pointer);
  setReg(regs, EFLAGS, INITIAL_FLAGS);
  regs.setUint32(CSGSFS, USER_CS, true);
  regs.setUint32(CSGSFS + 4, USER_SS << 16, true);
  initFpu(ctx.fpu);
}

function cpuFacts(kernel: Kernel): CpuFacts {
  const fpu = Math.ceil(frameFpuSize(kernel.platform.fpuSize) / 64) * 64;
  return { ...kernel.cpu, minSignalStack: fpu + Ucontext.size + FRAME_REST };
}
