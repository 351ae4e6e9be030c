/** The seeded exerciser on our own server, in both dialects; diod_test.ts runs it on diod. */

import { assert } from "@std/assert";
import { withServer } from "../server/testing.ts";
import { randomFrom } from "../server/requests_testing.ts";
import { ClientExerciser } from "./exerciser_testing.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";

const CALLS = Deno.env.get("DVISOR_FULL") === undefined ? 1500 : 30_000;

for (const offersExtension of [true, false]) {
  const dialect = offersExtension ? "dvisor's dialect" : "the base protocol";
  Deno.test(
    named(
      `random calls of the client give the results of a model (${dialect})`,
      isRoot ? null : "needs root",
    ),
    async () => {
      const seed = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));
      const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
      try {
        const roots = [{ path: dir, isReadOnly: false }];
        await withServer({ roots }, { offersExtension }, (c) => {
          const e = new ClientExerciser(c, randomFrom(seed), { hasXattrs: true });
          try {
            e.run(CALLS);
          } catch (error) {
            throw new Error(`seed ${seed}`, { cause: error });
          }
          assert(e.seen.size === 12);
          assert(c.fids.used < 4, "fids are left");
        });
      } finally {
        await new Deno.Command("rm", { args: ["-rf", dir] }).output();
      }
    },
  );
}
