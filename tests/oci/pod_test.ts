/** Several containers in one sandbox. */

import { testCases } from "./lifecycle.ts";
import { POD_CASES } from "./pod_cases.ts";

testCases("pods", POD_CASES);
