/** All that Podman is asked, in order. Not a test. */

import type { EngineCase } from "../engines/engine_case.ts";
import type { Podman } from "./podman.ts";
import { LIFE_CASES } from "./life_cases.ts";
import { RUN_CASES } from "./run_cases.ts";

export const PODMAN_CASES: readonly EngineCase<Podman>[] = [
  ...RUN_CASES,
  ...LIFE_CASES,
];
