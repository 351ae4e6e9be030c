/** Hooks: dvisor and, where it is installed and may be asked, runc. */

import { HOOK_CASES } from "./hook_cases.ts";
import { testCases } from "./lifecycle.ts";

testCases("hooks", HOOK_CASES);
