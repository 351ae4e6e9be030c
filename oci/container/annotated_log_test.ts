import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { ANNOTATED_LOGS, makeAnnotatedLog, sizeOfLog } from "./annotated_log.ts";

Deno.test("debug logs of containers are for their owner alone, and the oldest make room", () => {
  const root = Deno.makeTempDirSync({ prefix: "dvisor-logs-" }), dir = `${root}/logs`;
  try {
    for (let i = 0; i < 2 * ANNOTATED_LOGS; i++) {
      const path = makeAnnotatedLog(`c${i}`, dir);
      assertEquals(path, `${dir}/c${i}.log`);
      Deno.writeTextFileSync(path, "line");
      Deno.utimeSync(path, i, i);
    }
    assertEquals((Deno.statSync(dir).mode ?? 0) & 0o777, 0o700);
    const names = [...Deno.readDirSync(dir)].map((entry) => entry.name);
    assertEquals(names.length, ANNOTATED_LOGS);
    assert(names.includes(`c${2 * ANNOTATED_LOGS - 1}.log`) && !names.includes("c0.log"));
    // One that is there goes on, and no other makes room for it.
    makeAnnotatedLog(`c${ANNOTATED_LOGS}`, dir);
    assertEquals([...Deno.readDirSync(dir)].length, ANNOTATED_LOGS);
    Deno.writeTextFileSync(`${root}/file`, "");
    assertThrows(() => makeAnnotatedLog("c", `${root}/file`), UserError, "cannot keep debug logs");
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("a log of an annotation is small, one of the command line is not", () => {
  assertEquals(sizeOfLog("/var/log/dvisor/c.log"), 16 * 2 ** 20);
  assertEquals(sizeOfLog("/var/log/dvisor.log"), 2 ** 30);
});
