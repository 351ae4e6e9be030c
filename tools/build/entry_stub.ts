/**
 * The code that runs first in a binary on the home-made base, before `deno`'s own `_start`.
 *
 * The base is the official `deno`, a command-line tool. The stub makes it run the program that was
 * appended to it: it replaces the argument vector `dvisor ARGS...` by `deno run OPTIONS URL
 * ARGS...` and jumps to where `deno` begins. The URL is a `data:` URL with a line of JavaScript
 * that reads the program's text from `/proc/self/exe` and evaluates it.
 *
 * So no cache on disk is involved: there is none to find, to fill, or to poison. Deno's own caches
 * are pointed at a path that cannot exist. Not here: how the stub gets into the file
 * (`base_binary.ts`), and how the offset gets into the URL (`embed.ts`).
 *
 * The dynamic linker has done its work when this runs; the stack is as execve(2) made it (System V
 * ABI, "Process Initialization").
 */

import { ENOENT } from "../../ffi/abi/errno.ts";
import { RLIMIT_AS } from "../../ffi/abi/resource.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem, rip } from "../../ffi/asm/operands.ts";
import {
  eax,
  ebp,
  edi,
  edx,
  esi,
  r12,
  r13,
  r14,
  r15,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "../../ffi/asm/registers.ts";

/** The layout of the stub's own file. Addresses are relative to the load base. */
interface StubPlace {
  /** Where the stub is loaded. */
  readonly vaddr: number;
  /** Where `deno` begins. */
  readonly entry: number;
  /** The GOT slot of `environ`. */
  readonly environSlot: number;
  /** Options of V8, as `--v8-flags` takes them. */
  readonly v8Flags: readonly string[];
}

/** Width of the numbers in the program's URL. */
const DIGITS = 12;

/**
 * The URL that reads `lengthBytes` bytes of ASCII at `offset` of the running executable and
 * evaluates them. Its length is the same for all numbers.
 */
export function programUrl(offset: number, lengthBytes: number): string {
  const number = (n: number): string => `Number("${String(n).padStart(DIGITS, "0")}")`;
  return "data:text/javascript," +
    `{const/**/f=Deno.openSync("/proc/self/exe"),b=new/**/Uint8Array(${number(lengthBytes)});` +
    `f.seekSync(${number(offset)},0);` +
    "for(let/**/n=0;n<b.length;){const/**/r=f.readSync(b.subarray(n));" +
    'if(r===null)throw/**/Error("executable\\x20cut\\x20short");n-=-r}' +
    "f.close();globalThis.eval(new/**/TextDecoder().decode(b))}";
}

/** The new vector has at most this many entries more than the old one. */
const EXTRA_ENTRIES = 32;

/** The prefix of the launcher's own variables, which are passed on without it (oci/launch). */
const PASSED = ["DVIS", "OR__"];
/** Variables with these beginnings are for other programs: they must not steer this `deno`. */
const FOREIGN = ["DENO_", "NODE_", "OTEL_"];

const ENVIRONMENT = [
  "DENO_DIR=/dev/null/dvisor",
  "DENO_NO_UPDATE_CHECK=1",
  "DENO_DISABLE_NODE_SHIM=1",
  // On a terminal it would complain that there is no cache.
  "DENO_LOG=error,deno::cache=off",
];

function argumentsBefore(v8Flags: readonly string[]): string[] {
  const options = ["-A", "--no-config", "--no-lock", "--no-code-cache"];
  options.push("--cached-only", "--no-remote", "--no-npm");
  const v8 = v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : [];
  return ["deno", "run", ...options, ...v8, programUrl(0, 0)];
}

/** The code and data of the stub, to be loaded at `place.vaddr`, readable and executable. */
export function entryStub(place: StubPlace): Uint8Array<ArrayBuffer> {
  const a = new Assembler();
  const args = argumentsBefore(place.v8Flags);
  emitStart(a, place);
  emitChecks(a);
  emitArguments(a, args);
  emitEnvironment(a, place);
  emitLeave(a, place);
  emitRefusals(a);
  args.forEach((text, i) => a.label(`argument ${i}`).asciz(text));
  ENVIRONMENT.forEach((text, i) => a.label(`variable ${i}`).asciz(text));
  return a.assemble();
}

/** rbx = old vector, r12 = rtld_fini, r13 = envp, r14 = auxv, r15 = load base, rsp = new vector. */
function emitStart(a: Assembler, place: StubPlace): void {
  a.label("entry").mov(r12, rdx).mov(rbx, rsp);
  a.lea(r15, rip("entry")).movabs(rax, place.vaddr).sub(r15, rax);
  a.mov(rcx, mem(rbx)).lea(r13, mem(rbx, 16, rcx, 8)).mov(r14, r13);
  a.label("next variable").mov(rax, mem(r14)).add(r14, 8).test(rax, rax).jne("next variable");
  a.mov(rax, r14);
  a.label("next auxv").mov(rdx, mem(rax)).add(rax, 16).test(rdx, rdx).jne("next auxv");
  a.sub(rax, rbx).add(rax, 8 * EXTRA_ENTRIES).sub(rsp, rax).and(rsp, -16);
}

/** Room for a path of the host, below the new vector. */
const PATH_BYTES = 4096;
/** The least address space in which V8 starts, in GiB: it reserves 32 GiB and some. */
const ADDRESS_SPACE_GIB = 36;
const GIB_BITS = 30;

/** Two conditions under which `deno` would end with a message of its own, or V8 with a trap. */
function emitChecks(a: Assembler): void {
  a.sub(rsp, PATH_BYTES);
  a.mov(edi, RLIMIT_AS).mov(rsi, rsp).mov(eax, N.SYS_getrlimit).syscall();
  a.mov(rax, mem(rsp)).shr(rax, GIB_BITS).cmp(rax, ADDRESS_SPACE_GIB).jb("little space");
  a.mov(rdi, rsp).mov(esi, PATH_BYTES).mov(eax, N.SYS_getcwd).syscall();
  a.cmp(rax, -ENOENT).je("no directory").add(rsp, PATH_BYTES);
}

const GONE = "dvisor: the working directory is gone, cd to another one: ";
const LITTLE = "dvisor: ulimit -v leaves too little address space: JavaScript needs " +
  `${ADDRESS_SPACE_GIB} GiB\n`;
const EXIT_FAILURE = 1, STDERR = 2;

/** Says what is missing, and ends the process. */
function emitRefusals(a: Assembler): void {
  a.label("little space").lea(rsi, rip("little text")).mov(edx, LITTLE.length);
  emitWrite(a);
  a.label("refuse").mov(edi, EXIT_FAILURE).mov(eax, N.SYS_exit_group).syscall();
  a.label("no directory").lea(rsi, rip("gone text")).mov(edx, GONE.length);
  emitWrite(a);
  a.lea(rdi, rip("directory link")).mov(rsi, rsp).mov(edx, PATH_BYTES - 1);
  a.mov(eax, N.SYS_readlink).syscall();
  a.test(rax, rax).jns("named").xor(eax, eax).label("named");
  // The name is another program's: its control characters must not reach a terminal.
  a.mov(mem(rsp, 0, rax), NEWLINE, 1).lea(rdx, mem(rax, 1));
  a.label("next byte").sub(rax, 1).jb("shown");
  a.cmp(mem(rsp, 0, rax), SPACE, 1).jae("next byte").mov(mem(rsp, 0, rax), QUESTION, 1);
  a.jmp("next byte").label("shown").mov(rsi, rsp);
  emitWrite(a);
  a.jmp("refuse");
  a.label("little text").asciz(LITTLE).label("gone text").asciz(GONE);
  a.label("directory link").asciz("/proc/self/cwd");
}

const NEWLINE = 10, SPACE = 32, QUESTION = 63;

/** Writes edx bytes at rsi. */
function emitWrite(a: Assembler): void {
  a.mov(edi, STDERR).mov(eax, N.SYS_write).syscall();
}

/** Own arguments, then the caller's without the first. rdi = behind them. */
function emitArguments(a: Assembler, args: readonly string[]): void {
  a.lea(rdi, mem(rsp, 8));
  args.forEach((_, i) => emitPointer(a, `argument ${i}`));
  a.mov(rcx, mem(rbx)).sub(rcx, 1).jbe("end of arguments");
  a.lea(rsi, mem(rbx, 16)).cld().repMovsq();
  a.label("end of arguments");
  a.mov(rax, rdi).sub(rax, rsp).sub(rax, 8).shr(rax, 3).mov(mem(rsp), rax);
  a.mov(mem(rdi), 0, 8).add(rdi, 8);
}

/** Own variables, then the caller's without foreign ones. rdi = behind them. */
function emitEnvironment(a: Assembler, place: StubPlace): void {
  a.mov(rbp, rdi);
  ENVIRONMENT.forEach((_, i) => emitPointer(a, `variable ${i}`));
  a.label("copy variable").mov(rsi, mem(r13)).test(rsi, rsi).je("end of variables").add(r13, 8);
  for (const prefix of FOREIGN) {
    const next = a.fresh("not foreign");
    a.cmp(mem(rsi), littleEndian(prefix), 4).jne(next);
    a.cmp(mem(rsi, 4), prefix.charCodeAt(4), 1).je("copy variable").label(next);
  }
  PASSED.forEach((part, i) => a.cmp(mem(rsi, 4 * i), littleEndian(part), 4).jne("pass"));
  a.add(rsi, 4 * PASSED.length).label("pass");
  a.mov(mem(rdi), rsi).add(rdi, 8).jmp("copy variable");
  a.label("end of variables").mov(mem(rdi), 0, 8).add(rdi, 8);
  // libc took the old environment before this code ran: its `environ` must point to the new one
  a.movabs(rax, place.environSlot).mov(rax, mem(r15, 0, rax)).mov(mem(rax), rbp);
}

/** Copies the auxiliary vector and goes to `deno` with the registers that it expects. */
function emitLeave(a: Assembler, place: StubPlace): void {
  a.label("copy auxv").mov(rax, mem(r14)).mov(mem(rdi), rax);
  a.mov(rcx, mem(r14, 8)).mov(mem(rdi, 8), rcx);
  a.add(r14, 16).add(rdi, 16).test(rax, rax).jne("copy auxv");
  a.movabs(rax, place.entry).add(rax, r15);
  a.mov(rdx, r12).xor(ebp, ebp).jmp(rax);
}

function emitPointer(a: Assembler, label: string): void {
  a.lea(rax, rip(label)).mov(mem(rdi), rax).add(rdi, 8);
}

function littleEndian(text: string): number {
  return [0, 1, 2, 3].reduce((n, i) => n + text.charCodeAt(i) * 2 ** (8 * i), 0);
}
