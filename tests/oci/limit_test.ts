/**
 * Limits, statistics and events: the same checks for dvisor and, where it is installed and may be
 * used, for runc.
 */

import { testCases, testCasesOnOne } from "./lifecycle.ts";
import { LIMIT_CASES } from "./limit_cases.ts";
import { makeLimited, UPDATE_CASES } from "./update_cases.ts";

testCases("limits", LIMIT_CASES);
testCasesOnOne("limits", makeLimited, UPDATE_CASES);
