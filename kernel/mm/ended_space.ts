/**
 * What is left of an address space whose host process has ended, and a context that never runs:
 * code that holds them needs no case of its own. platform/platform.ts has the contract.
 */

import { AddressSpace, Context } from "../../platform/platform.ts";

/** Nothing can be mapped in it, and all of its changes are done. */
export class EndedSpace extends AddressSpace {
  override isEnded: boolean = true;
  override readonly seq: number = 0;
  override readonly ackedSeq: number = 0;
  override readonly broken: boolean = false;
  override readonly mappingCount: number = 0;
  override readonly hostPid: number = 0;

  override mapArena(): void {}
  override mapFile(): void {}
  override unmap(): void {}
  override useThunks(): void {}
  override protect(): void {}
  override flush(): void {}
  override fork(): null {
    return null;
  }
  override newContext(): null {
    return null;
  }
  override destroy(): void {}
}

/** A context that never runs guest code. */
export class NoContext extends Context {
  override readonly space: AddressSpace;
  override rip: number = 0;
  override rsp: number = 0;
  override readonly fpu: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(space: AddressSpace) {
    super();
    this.space = space;
  }

  override fetchRegs(): void {}
  override fetchFpu(): void {}
  override resumeRet(_result: number): void {}
  override resumeAll(_withFpu: boolean): void {}
  override requestFull(): void {}
  override park(): void {}
  override interrupt(): void {}
  override release(): void {}
}
