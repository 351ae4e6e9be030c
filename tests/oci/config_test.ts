/** Invalid files config.json: dvisor refuses them, and so does runc where this user may run it. */

import { testCasesOnOne } from "./lifecycle.ts";
import { REFUSALS } from "./refusal_cases.ts";

testCasesOnOne("config.json", () => Promise.resolve(), REFUSALS);
