/** All checks of Podman, in order. Not a test. */

import type { EngineCase } from "../engines/engine_case.ts";
import { LIFE_CASES } from "./life_cases.ts";
import { PLACE_CASES } from "./place_cases.ts";
import type { Podman } from "./podman.ts";
import { POD_AND_BUILD_CASES } from "./pod_cases.ts";
import { RUN_CASES } from "./run_cases.ts";

export const PODMAN_CASES: readonly EngineCase<Podman>[] = [
  ...RUN_CASES,
  ...LIFE_CASES,
  ...PLACE_CASES,
  ...POD_AND_BUILD_CASES,
];
