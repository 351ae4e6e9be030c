import { CHECKPOINT_CASES } from "./checkpoint_cases.ts";
import { testCases } from "./lifecycle.ts";

testCases("checkpoint", CHECKPOINT_CASES);
