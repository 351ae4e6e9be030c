/**
 * dvisor as a library for scripts: `Sandbox` runs programs in sandboxes (oci/library/sandbox.ts).
 *
 * Run as a program it is the command line, from its sources: `deno task run -- do -- bash`.
 *
 * @module
 */

import { partFor, runPart } from "./oci/parts.ts";

export type { ExecOptions, Mount, ProgramOptions, SandboxOptions } from "./oci/library/options.ts";
export type { ExecResult, Program } from "./oci/library/program.ts";
export { SandboxError } from "./oci/library/runtime.ts";
export { Sandbox, type SandboxStats } from "./oci/library/sandbox.ts";

if (import.meta.main) await runPart(partFor(Deno.execPath(), Deno.args));
