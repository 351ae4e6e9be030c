/**
 * Assembles the stub: text and the zygote's memory as one static ELF program.
 *
 * Neighbours: the emitters of this folder; `../zygote_link.ts` starts it.
 */

import { Assembler } from "../../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../../ffi/asm/elf_executable.ts";
import { AllowedSites, LABELS, TEXT_START } from "./emit.ts";
import { emitFastPath } from "./fast_path.ts";
import { type Secret, stubFilter } from "./filter.ts";
import { emitHandler } from "./handler.ts";
import { MAX_SLOTS, SCRATCH, TEXT, TEXT_BYTES } from "./layout.ts";
import { emitMapper, emitMapperData } from "./mapper.ts";
import { emitZygote, type SharedOffsets, zygoteScratch } from "./zygote.ts";

/** The program, and the addresses in it that the Sentry uses. */
export interface StubImage {
  readonly elf: Uint8Array<ArrayBuffer>;
  readonly text: Uint8Array<ArrayBuffer>;
  readonly fast: number;
  readonly save: number;
  /** Address of any label: for tests. */
  addressOf(label: string): number;
}

/**
 * @param slotBytes size of a slot, a power of two
 * @param secret four random words; code that has them may change mappings in a stub
 */
export function assembleStub(
  slotBytes: number,
  shared: SharedOffsets,
  secret: Secret,
): StubImage {
  const a = new Assembler().label(TEXT_START);
  const sites = new AllowedSites();
  emitMapperData(a, slotBytes, MAX_SLOTS);
  emitHandler(a, slotBytes, sites);
  emitFastPath(a, sites);
  emitMapper(a, sites);
  emitZygote(a, shared, sites);
  const text = a.assemble(TEXT);
  if (text.length > TEXT_BYTES) throw new RangeError(`stub text has ${text.length} bytes`);
  const addressOf = (label: string) => TEXT + a.offsetOf(label);
  const scratch = zygoteScratch(secret, stubFilter(sites, addressOf, secret));
  const elf = writeExecutable(addressOf(LABELS.zygote), [
    { vaddr: TEXT, bytes: text, read: true, write: false, exec: true },
    { vaddr: SCRATCH, bytes: scratch, read: true, write: true, exec: false },
  ]);
  return {
    elf,
    text,
    fast: addressOf(LABELS.fast),
    save: addressOf(LABELS.save),
    addressOf,
  };
}
