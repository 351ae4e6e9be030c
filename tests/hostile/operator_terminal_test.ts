/**
 * Output of commands about a container whose names are control sequences of a terminal: programs,
 * arguments, files, mounts, annotations, errors. A guest's own output, which is for its terminal,
 * does not come this way.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, type Finished } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";

/** Title of the window, a request for an answer, C1, and text that runs backwards. */
const EVIL = "\x1b]0;evil\x07\x1b[6n\u009b31m\u202e";

function assertInert(result: Finished): void {
  for (const text of [result.stdout, result.stderr]) {
    assert(!/(?![\n\t])\p{Cc}|[\u2028-\u202e]/u.test(text), describe(result));
  }
}

/** Names a program, a file that it has open and a mount so. */
const GUEST = `
cd /tmp; mkdir "d$EVIL"; mount -t tmpfs "s$EVIL" "d$EVIL"; exec 5>"f$EVIL"
printf '#!/bin/sh\\necho up; sleep 60; exit' >"$EVIL"; chmod 755 "$EVIL"; exec "./$EVIL"`;

Deno.test({
  ...named("names that a guest, an image or a client has chosen are no commands", noContainers),
  fn: async () => {
    becomeSubreaper();
    const t = new Lifecycle("dvisor");
    try {
      t.config["annotations"] = { [`a${EVIL}`]: EVIL };
      const names = ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"];
      t.config.process["capabilities"] = { bounding: names, effective: names, permitted: names };
      t.config.process["env"] = ["PATH=/bin", `EVIL=${EVIL}`];
      t.config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
      await t.running(GUEST);
      await t.until("up");
      t.globals.push("--log", t.file("log"));
      const shown = [
        ["ps", t.id],
        ["ps", "--format", "json", t.id],
        ["list"],
        ["list", "--format", "json"],
        ["state", t.id],
        ["events", "--stats", t.id],
        ["debug", t.id],
        ["metrics"],
      ];
      const quoting: string[] = [];
      for (const args of shown) {
        const result = await t.call(...args);
        assertEquals(result.code, 0, describe(result));
        assertInert(result);
        if (result.stdout.includes("evil")) quoting.push(args[0] ?? "");
      }
      // Otherwise nothing was tested.
      assertEquals(quoting, ["ps", "list", "state", "debug"]);
      const { stdout: state } = await t.call("state", t.id);
      assertEquals(JSON.parse(state).annotations, { [`a${EVIL}`]: EVIL });
      const refused = [
        ["exec", t.id, `/bin/${EVIL}`],
        ["exec", "--cwd", `/${EVIL}`, t.id, "true"],
        ["exec", "--user", EVIL, t.id, "true"],
        ["exec", "--process", t.file(EVIL), t.id],
        ["state", EVIL],
        ["run", "--bundle", t.file(EVIL), "other"],
        [`--${EVIL}`, "list"],
        [EVIL],
      ];
      for (const args of refused) {
        const result = await t.call(...args);
        assert(result.code !== 0, describe(result));
        assertStringIncludes(result.stderr, "u001b");
        assertInert(result);
      }
      assert(!/(?!\n)\p{Cc}/u.test(t.text("log")), t.text("log"));
      assertStringIncludes(t.text("log"), "u001b");
    } finally {
      await endAll([t]);
    }
  },
});
