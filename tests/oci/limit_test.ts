/** Limits, statistics and events: the same checks for dvisor and, where it is installed and may be used, for runc. */

import { testCases } from "./lifecycle.ts";
import { LIMIT_CASES } from "./limit_cases.ts";

testCases("limits", LIMIT_CASES);
