/**
 * The suite of the library, for every runtime: plain functions that throw. sandbox_test.ts runs
 * them in Deno, runner.mjs in Node and Bun.
 */

import { fileCases } from "./cases/files.ts";
import { hostileCases } from "./cases/hostile.ts";
import { limitCases } from "./cases/limits.ts";
import { programCases } from "./cases/programs.ts";
import { sandboxCases } from "./cases/sandboxes.ts";
import { snapshotCases } from "./cases/snapshots.ts";
import { type Case, missingFor, type SuiteOptions } from "./support.ts";

export { missingFor };
export type { SuiteOptions };

export const cases: readonly Case[] = [
  ...programCases,
  ...limitCases,
  ...fileCases,
  ...sandboxCases,
  ...snapshotCases,
  ...hostileCases,
];
