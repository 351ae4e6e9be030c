/** The commands that save containers and restore them. */

import { COMMAND_CASES } from "./checkpoint_command_cases.ts";
import { testCases } from "./lifecycle.ts";

testCases("checkpoint and restore", COMMAND_CASES);
