/** The table of everything that the kernels of real sandboxes hold. */

import { Arena } from "../../../ffi/mem/arena.ts";
import { kernelTable } from "../../../kernel/snapshot/anchors/kernel_table.ts";
import { named } from "../../../kernel/snapshot/anchors/surroundings.ts";
import type { ClassTable } from "../../../kernel/snapshot/graph/class_table.ts";
import { KvmContext } from "../../../platform/kvm/context.ts";
import { KvmPlatform } from "../../../platform/kvm/kvm_platform.ts";
import { KvmSpace } from "../../../platform/kvm/space.ts";
import { PtraceContext } from "../../../platform/ptrace/context.ts";
import { PtracePlatform } from "../../../platform/ptrace/ptrace_platform.ts";
import { PtraceSpace } from "../../../platform/ptrace/space.ts";
import { SystrapContext } from "../../../platform/systrap/context.ts";
import { SystrapSpace } from "../../../platform/systrap/space.ts";
import { SystrapPlatform } from "../../../platform/systrap/systrap.ts";
import { RealHost } from "../real_host.ts";

/** An image may come from any platform. Making the table takes some ms: a sandbox makes one. */
export function realTable(): ClassTable {
  return kernelTable({
    host: { name: "RealHost", prototype: RealHost.prototype },
    platforms: named({ SystrapPlatform, PtracePlatform, KvmPlatform }),
    arena: { name: "Arena", prototype: Arena.prototype },
    spaces: named({ SystrapSpace, PtraceSpace, KvmSpace }),
    contexts: named({ SystrapContext, PtraceContext, KvmContext }),
  });
}
