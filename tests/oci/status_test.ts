/**
 * Verbs about containers in each status, and processes executed in one: dvisor and, where it may be
 * asked, runc.
 */

import { EXECUTED_CASES, makeExecutable } from "./exec_cases.ts";
import { FOREGROUND_CASES } from "./exec_foreground_cases.ts";
import { testCasesOnOne } from "./lifecycle.ts";
import * as S from "./status_cases.ts";

testCasesOnOne("created", S.makeCreated, S.CREATED_CASES);
testCasesOnOne("running", S.makeRunning, S.RUNNING_CASES);
testCasesOnOne("paused", S.makePaused, S.PAUSED_CASES);
testCasesOnOne("stopped", S.makeStopped, S.STOPPED_CASES);
testCasesOnOne("exec", makeExecutable, EXECUTED_CASES);
testCasesOnOne("exec in the foreground", makeExecutable, FOREGROUND_CASES);
