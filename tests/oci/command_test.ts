/** The command line of dvisor and, where this user may run it, of runc. */

import { COMMAND_CASES, OWN_CASES } from "./command_cases.ts";
import { testCases, testCasesOnOne } from "./lifecycle.ts";
import { SPEC_CASES } from "./spec_cases.ts";

testCasesOnOne("command", () => Promise.resolve(), [...COMMAND_CASES, ...SPEC_CASES]);
testCases("command", OWN_CASES);
