/** Hooks, with dvisor and, where this user may run it, with runc. */

import { HOOK_CASES } from "./hook_cases.ts";
import { testCases } from "./lifecycle.ts";

testCases("hooks", HOOK_CASES);
