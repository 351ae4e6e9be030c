/**
 * The life of containers: the same checks for dvisor and, where it is installed and may be used,
 * for runc.
 */

import { testCases } from "./lifecycle.ts";
import {
  CREATE_CASES,
  EXEC_CASES,
  PAUSE_CASES,
  RUN_CASES,
  SIGNAL_CASES,
} from "./lifecycle_cases.ts";
import { CONSOLE_CASES } from "./console_cases.ts";
import { DVISOR_CASES } from "./lifecycle_own_cases.ts";
import { PLACE_CASES } from "./lifecycle_place_cases.ts";
import { USER_CASES } from "./user_cases.ts";

const ALL = [
  ...CREATE_CASES,
  ...SIGNAL_CASES,
  ...EXEC_CASES,
  ...PAUSE_CASES,
  ...RUN_CASES,
  ...PLACE_CASES,
  ...CONSOLE_CASES,
  ...DVISOR_CASES,
  ...USER_CASES,
];

testCases("lifecycle", ALL);
