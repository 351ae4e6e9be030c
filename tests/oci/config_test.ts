/**
 * What config.json cannot say: refused by dvisor and, where it is installed and may be asked, by
 * runc.
 */

import { testCasesOnOne } from "./lifecycle.ts";
import { REFUSALS } from "./refusal_cases.ts";

testCasesOnOne("config.json", () => Promise.resolve(), REFUSALS);
