/**
 * ELF64 files and the auxiliary vector.
 *
 * From linux/elf.h, linux/auxvec.h and the System V ABI. The writers are ffi/asm/elf_*.ts, the
 * loader is in kernel/loader/.
 */

import { layout } from "./layout.ts";

/** `e_ident`. */
export const EI_MAG0 = 0;
export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const EI_OSABI = 7;
export const EI_ABIVERSION = 8;
export const EI_NIDENT = 16;
export const ELFCLASS32 = 1;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const ELFDATA2MSB = 2;
export const EV_CURRENT = 1;
export const ELFOSABI_SYSV = 0;
export const ELFOSABI_LINUX = 3;

/** `e_type`, `e_machine`. */
export const ET_NONE = 0;
export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;
export const ET_CORE = 4;
export const EM_386 = 3;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

/** Program headers. */
export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_SHLIB = 5;
export const PT_PHDR = 6;
export const PT_TLS = 7;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PT_GNU_STACK = 0x6474e551;
export const PT_GNU_RELRO = 0x6474e552;
export const PT_GNU_PROPERTY = 0x6474e553;
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;
export const PN_XNUM = 0xffff;

/** Sections and symbols. */
export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_HASH = 5;
export const SHT_DYNAMIC = 6;
export const SHT_NOTE = 7;
export const SHT_NOBITS = 8;
export const SHT_DYNSYM = 0xb;
export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STT_FILE = 4;
export const SHN_UNDEF = 0;
export const SHN_ABS = 0xfff1;

/** Dynamic section. */
export const DT_NULL = 0;
export const DT_NEEDED = 1;
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_RELA = 7;
export const DT_RELASZ = 8;
export const DT_RELAENT = 9;
export const DT_STRSZ = 0xa;
export const DT_SYMENT = 0xb;
export const DT_SONAME = 0xe;
export const DT_VERSYM = 0x6ffffff0;
export const DT_VERDEF = 0x6ffffffc;
export const DT_VERDEFNUM = 0x6ffffffd;
export const DT_GNU_HASH = 0x6ffffef5;
export const VER_FLG_BASE = 1;

/** Core file notes. */
export const NT_PRSTATUS = 1;
export const NT_FPREGSET = 2;
export const NT_PRPSINFO = 3;
export const NT_AUXV = 6;
export const NT_X86_XSTATE = 0x202;
export const NT_SIGINFO = 0x53494749;
export const NT_FILE = 0x46494c45;

/** Auxiliary vector. */
export const AT_NULL = 0;
export const AT_IGNORE = 1;
export const AT_EXECFD = 2;
export const AT_PHDR = 3;
export const AT_PHENT = 4;
export const AT_PHNUM = 5;
export const AT_PAGESZ = 6;
export const AT_BASE = 7;
export const AT_FLAGS = 8;
export const AT_ENTRY = 9;
export const AT_NOTELF = 10;
export const AT_UID = 11;
export const AT_EUID = 12;
export const AT_GID = 13;
export const AT_EGID = 14;
export const AT_PLATFORM = 15;
export const AT_HWCAP = 16;
export const AT_CLKTCK = 17;
export const AT_SECURE = 23;
export const AT_BASE_PLATFORM = 24;
export const AT_RANDOM = 25;
export const AT_HWCAP2 = 26;
export const AT_RSEQ_FEATURE_SIZE = 27;
export const AT_RSEQ_ALIGN = 28;
export const AT_HWCAP3 = 29;
export const AT_HWCAP4 = 30;
export const AT_EXECFN = 31;
export const AT_SYSINFO_EHDR = 33;
export const AT_MINSIGSTKSZ = 51;

/** `Elf64_Ehdr`, 64 bytes. */
export const Ehdr = /* @__PURE__ */ layout("Elf64_Ehdr", {
  ident: ["u8", 16],
  type: "u16",
  machine: "u16",
  version: "u32",
  entry: "u64",
  phoff: "u64",
  shoff: "u64",
  flags: "u32",
  ehsize: "u16",
  phentsize: "u16",
  phnum: "u16",
  shentsize: "u16",
  shnum: "u16",
  shstrndx: "u16",
});

/** `Elf64_Phdr`, 56 bytes. */
export const Phdr = /* @__PURE__ */ layout("Elf64_Phdr", {
  type: "u32",
  flags: "u32",
  offset: "u64",
  vaddr: "u64",
  paddr: "u64",
  filesz: "u64",
  memsz: "u64",
  align: "u64",
});

/** `Elf64_Shdr`, 64 bytes. */
export const Shdr = /* @__PURE__ */ layout("Elf64_Shdr", {
  name: "u32",
  type: "u32",
  flags: "u64",
  addr: "u64",
  offset: "u64",
  size: "u64",
  link: "u32",
  info: "u32",
  addralign: "u64",
  entsize: "u64",
});

/** `Elf64_Sym`, 24 bytes. */
export const Sym = /* @__PURE__ */ layout("Elf64_Sym", {
  name: "u32",
  info: "u8",
  other: "u8",
  shndx: "u16",
  value: "u64",
  size: "u64",
});

/** `Elf64_Dyn`. */
export const Dyn = /* @__PURE__ */ layout("Elf64_Dyn", { tag: "i64", val: "u64" });

/** `Elf64_Nhdr`; name and descriptor are each padded to 4 bytes. */
export const Nhdr = /* @__PURE__ */ layout("Elf64_Nhdr", {
  namesz: "u32",
  descsz: "u32",
  type: "u32",
});
