/**
 * Options that clients seldom use: the same checks for dvisor and, where this user may run it, for
 * runc.
 */

import { testCases } from "./lifecycle.ts";
import { OVERLAY_CASES } from "./overlay_cases.ts";
import { TIME_CASES } from "./time_cases.ts";
import { UDS_CASES } from "./uds_cases.ts";
import { FOLLOW_CASES } from "./follow_cases.ts";
import { IDS_CASES } from "./ids_cases.ts";
import { VERB_CASES } from "./feat_cases.ts";

testCases("verbs", VERB_CASES);
testCases("overlay", OVERLAY_CASES);
testCases("host-uds", UDS_CASES);
testCases("mount ids", IDS_CASES);
testCases("later mounts", FOLLOW_CASES);
testCases("time", TIME_CASES);
