/**
 * Protection of a sandbox against leaks by the processor: controls of speculation, and a cookie of
 * core scheduling, with which no other task runs beside the sandbox on the same core's threads.
 * Children inherit both. They are steps of the launch scripts of the boot process, whose stubs
 * inherit them, and of the Gofer.
 *
 * The host's support is checked first, so that a missing control is an error with its name. See
 * prctl(2), PR_SET_SPECULATION_CTRL, and the kernel's Documentation: spec_ctrl, l1d_flush,
 * core-scheduling.
 */

import * as P from "../../ffi/abi/prctl.ts";
import { SYS_prctl } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import { UserError } from "../user_error.ts";

/**
 * `host`: as the host has it for every process. `strict`: every control that there is for a
 * process.
 */
type SpeculationMode = "host" | "strict";
/** `auto`: where the host has it. */
type CoreSchedulingMode = "auto" | "on" | "off";

/** Arguments of prctl(2), a call each. */
export type ProcessorIsolation = readonly (readonly number[])[];

/** Scope of PR_SCHED_CORE: one thread, which is all that a new process is. */
const SCOPE_THREAD = 0;
/** The leaks through the L1 data cache, by their names in /sys. */
const L1D_LEAKS = ["l1tf", "mds"];
const VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities";

/** The isolation features that a host supports. */
export interface ProcessorHost {
  /** PR_GET_SPECULATION_CTRL: a mask of PR_SPEC_*, or -errno. */
  speculation(control: number): number;
  /** PR_SCHED_CORE_GET: 0, or -errno. */
  coreScheduling(): number;
  /** Whether the processor may leak the content of its L1 data cache. */
  leaksL1d(): boolean;
}

const REAL_HOST: ProcessorHost = {
  speculation: (control) => syscall(SYS_prctl, P.PR_GET_SPECULATION_CTRL, control, 0, 0, 0),
  coreScheduling: () =>
    syscall(
      SYS_prctl,
      P.PR_SCHED_CORE,
      P.PR_SCHED_CORE_GET,
      0,
      SCOPE_THREAD,
      scratch.area(0),
    ),
  leaksL1d: () =>
    L1D_LEAKS.some((name) => {
      try {
        return Deno.readTextFileSync(`${VULNERABILITIES}/${name}`).trim() !== "Not affected";
      } catch {
        return true;
      }
    }),
};

/**
 * The controls that the options choose.
 * @throws UserError that names a control that the host does not have
 */
export function processorIsolation(
  speculation: SpeculationMode,
  coreScheduling: CoreSchedulingMode,
  host: ProcessorHost = REAL_HOST,
): ProcessorIsolation {
  const calls: number[][] = [];
  if (speculation === "strict") calls.push(...speculationCalls(host));
  if (coreScheduling === "off") return calls;
  const r = host.coreScheduling();
  if (r >= 0) calls.push([P.PR_SCHED_CORE, P.PR_SCHED_CORE_CREATE, 0, SCOPE_THREAD, 0]);
  else if (coreScheduling === "on") {
    throw new UserError(
      `--core-scheduling=on: the host has no core scheduling (PR_SCHED_CORE: ${errnoName(r)})`,
    );
  }
  return calls;
}

function speculationCalls(host: ProcessorHost): number[][] {
  const calls: number[][] = [], lacking: string[] = [];
  const controls = [
    { control: P.PR_SPEC_STORE_BYPASS, name: "store bypass", safe: P.PR_SPEC_FORCE_DISABLE },
    {
      control: P.PR_SPEC_INDIRECT_BRANCH,
      name: "indirect branches",
      safe: P.PR_SPEC_FORCE_DISABLE,
    },
    // Here "enable" is the flush, not the leak.
    { control: P.PR_SPEC_L1D_FLUSH, name: "flush of the L1 data cache", safe: P.PR_SPEC_ENABLE },
  ];
  for (const { control, name, safe } of controls) {
    const isFlush = control === P.PR_SPEC_L1D_FLUSH;
    if (isFlush && !host.leaksL1d()) continue;
    const state = host.speculation(control);
    const isSafe = isFlush ? (state & P.PR_SPEC_ENABLE) !== 0 : state === P.PR_SPEC_NOT_AFFECTED ||
      (state & (P.PR_SPEC_DISABLE | P.PR_SPEC_FORCE_DISABLE)) !== 0;
    if (state >= 0 && isSafe) continue;
    if (state >= 0 && (state & P.PR_SPEC_PRCTL) !== 0) {
      calls.push([P.PR_SET_SPECULATION_CTRL, control, safe, 0, 0]);
    } else lacking.push(state < 0 ? `${name} (${errnoName(state)})` : name);
  }
  if (lacking.length === 0) return calls;
  throw new UserError(
    `--speculation=strict: the host has no control for a process of ${lacking.join(", ")}`,
  );
}

/** Steps of a launch script. */
export function isolateProcessor(script: SpawnScript, calls: ProcessorIsolation): void {
  for (const args of calls) script.call(SYS_prctl, ...args);
}

/**
 * For `dvisor doctor`: why the host lacks the controls, or core scheduling; "" where it has them.
 */
export function processorLacks(host: ProcessorHost = REAL_HOST): {
  readonly speculation: string;
  readonly coreScheduling: string;
} {
  const r = host.coreScheduling();
  let speculation = "";
  try {
    speculationCalls(host);
  } catch (error) {
    speculation = error instanceof Error ? error.message : String(error);
  }
  return { speculation, coreScheduling: r >= 0 ? "" : `PR_SCHED_CORE gives ${errnoName(r)}` };
}
