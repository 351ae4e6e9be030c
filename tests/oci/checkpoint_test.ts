import { CHECKPOINT_CASES } from "./checkpoint_cases.ts";
import { testCases } from "./lifecycle.ts";

testCases(
  "checkpoint",
  CHECKPOINT_CASES.map((test) => ({
    ...test,
    run(t) {
      // The host's network is no part of these cases.
      t.globals.push("--network=none");
      return test.run(t);
    },
  })),
);
