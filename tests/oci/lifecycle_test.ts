/** The life of containers: the same checks for dvisor and, where it is installed and may be used, for runc. */

import { named, noContainers } from "../harness/machine.ts";
import { RUNC, type RuntimeName } from "./bundle.ts";
import { becomeSubreaper, Lifecycle } from "./lifecycle.ts";
import {
  CREATE_CASES,
  EXEC_CASES,
  type LifecycleCase,
  PAUSE_CASES,
  RUN_CASES,
  SIGNAL_CASES,
} from "./lifecycle_cases.ts";
import { CONSOLE_CASES } from "./console_cases.ts";
import { DVISOR_CASES } from "./lifecycle_own_cases.ts";
import { PLACE_CASES } from "./lifecycle_place_cases.ts";

async function check(runtime: RuntimeName, test: LifecycleCase): Promise<void> {
  becomeSubreaper();
  const t = new Lifecycle(runtime);
  try {
    await test.run(t);
  } catch (error) {
    throw new Error(`${runtime}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    await t.end();
  }
}

const ALL = [
  ...CREATE_CASES,
  ...SIGNAL_CASES,
  ...EXEC_CASES,
  ...PAUSE_CASES,
  ...RUN_CASES,
  ...PLACE_CASES,
  ...CONSOLE_CASES,
  ...DVISOR_CASES,
];

for (const test of ALL) {
  Deno.test({
    ...named(`lifecycle: ${test.name}`, noContainers),
    fn: async () => {
      if (test.notRunc === undefined && RUNC !== null) await check("runc", test);
      await check("dvisor", test);
    },
  });
}
