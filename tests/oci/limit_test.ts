/** Limits, statistics and events: the same checks for dvisor and, where it is installed and may be used, for runc. */

import { named, noContainers } from "../harness/machine.ts";
import { RUNC, type RuntimeName } from "./bundle.ts";
import { becomeSubreaper, Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";
import { LIMIT_CASES } from "./limit_cases.ts";

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

for (const test of LIMIT_CASES) {
  Deno.test({
    ...named(`limits: ${test.name}`, noContainers),
    fn: async () => {
      if (test.notRunc === undefined && RUNC !== null) await check("runc", test);
      await check("dvisor", test);
    },
  });
}
