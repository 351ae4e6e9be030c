/** What a snapshot says of the machine that it was made on, and what one is compared with. */

import { fingerprintOf } from "../../../kernel/snapshot/fingerprint.ts";
import { STATE_TABLE } from "../../../kernel/snapshot/state_table.ts";
import { CpuInfo } from "../../../kernel/proc/fs/cpu_info.ts";
import { buildVdso } from "../../../platform/vdso/vdso.ts";
import type { Codec } from "../../protocol/snapshot/format.ts";
import { featuresOf, type MachineFacts } from "../../protocol/snapshot/header.ts";
import { VERSION } from "../../version.ts";
import type { Machine } from "../machine.ts";

export function factsOf(machine: Machine, codec: Codec): MachineFacts {
  const { platform, platformName, cpu, cpuInfo } = machine;
  return {
    dvisor: VERSION,
    fingerprint: fingerprintOf(STATE_TABLE),
    platform: platformName,
    fpuBytes: platform.fpuSize,
    addressEnd: platform.maxUserAddress,
    vdso: hexOf(codec.sha256(buildVdso())),
    features: featuresOf(CpuInfo.fromHost(cpuInfo).value("flags")),
    hwcap2: cpu.hwcap2,
  };
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
