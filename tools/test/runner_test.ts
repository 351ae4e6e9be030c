/** Tests of the test runner: what it counts, above all when a test file misbehaves. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { isUnitTest, selectFiles, testFiles } from "./files.ts";
import { parseJunit } from "./junit.ts";
import { hasCommand, missingNeeds, NEEDS } from "./packages.ts";
import { outcomesOf, runFile } from "./run_file.ts";

Deno.test("parseJunit reads passed, failed and skipped tests and their names", () => {
  const xml = `<testsuites><testsuite name="./x_test.ts">
    <testcase name="a &gt; &quot;b&quot; &amp; &#x41;" classname="x" time="0.1" line="1">
    </testcase>
    <testcase name="b" classname="x"/>
    <testcase name="c" classname="x">
        <skipped/>
    </testcase>
    <testcase name="d" classname="x">
        <failure message="m">Error: &lt;skipped/&gt;</failure>
    </testcase>
  </testsuite></testsuites>`;
  assertEquals(parseJunit(xml), [
    { name: `a > "b" & A`, status: "passed" },
    { name: "b", status: "passed" },
    { name: "c", status: "skipped" },
    { name: "d", status: "failed" },
  ]);
  assertEquals(parseJunit(""), []);
});

Deno.test("a process that fails without a failed test counts as one failure", () => {
  const passed = `<testcase name="a" classname="x"></testcase>`;
  const names = (code: number, xml: string | null): string[] =>
    outcomesOf(code, xml, code === 137).map((o) => `${o.status} ${o.name}`);
  assertEquals(names(0, passed), ["passed a"]);
  assertEquals(names(1, null), ["failed (the file did not load)"]);
  assertEquals(names(1, passed), ["passed a", "failed (exit status 1)"]);
  assertEquals(names(124, null), ["failed (did not end in time)"]);
  assertEquals(names(137, null), ["failed (did not end in time)"]);
  assertEquals(names(139, null), ["failed (the test process died of signal 11)"]);
});

Deno.test("runFile counts a file that crashes, hangs, does not load, or is fine", async () => {
  const root = await Deno.makeTempDir({ prefix: "dvisor-runner-" });
  try {
    const run = async (source: string, timeoutS: number = 120): Promise<string[]> => {
      await Deno.writeTextFile(`${root}/a_test.ts`, source);
      const result = await runFile("a_test.ts", { root, timeoutS, env: { FROM_RUNNER: "1" } });
      return result.outcomes.map((o) => `${o.status} ${o.name}`);
    };
    assertEquals(
      await run(`
        Deno.test("one", async (t) => { await t.step("step", () => {}); });
        Deno.test({ name: "two", ignore: true, fn() {} });
        Deno.test("three", () => { if (Deno.env.get("FROM_RUNNER") !== "1") throw new Error(); });
        Deno.test("four", () => { throw new Error("x"); });`),
      ["passed one", "skipped two", "passed three", "failed four", "passed one > step"],
    );
    assertEquals(await run(`throw new Error("x");`), ["failed (the file did not load)"]);
    assertEquals(await run(`Deno.test("x", () => Deno.kill(Deno.pid, "SIGKILL"));`), [
      "failed (the test process died of signal 9)",
    ]);
    assertEquals(await run(`Deno.test("x", () => { for (;;); });`, 3), [
      "failed (did not end in time)",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("files are found, classified and selected by prefixes of their paths", () => {
  const root = new URL("../..", import.meta.url).pathname;
  const files = testFiles(root);
  assertEquals(files.includes("tools/test/runner_test.ts"), true);
  assertEquals(isUnitTest("tools/test/runner_test.ts"), true);
  assertEquals(isUnitTest("tests/tidy/tidy_test.ts"), false);
  assertEquals(selectFiles(["a/b_test.ts", "c/d_test.ts"], ["./a"]), ["a/b_test.ts"]);
  assertEquals(selectFiles(["a/b_test.ts"], []), ["a/b_test.ts"]);
});

Deno.test("missingNeeds asks for each command once", () => {
  assertEquals(hasCommand("sh"), true);
  assertEquals(hasCommand("no-such-command-anywhere"), false);
  assertEquals(missingNeeds(() => true), []);
  assertEquals(missingNeeds(() => false), [...NEEDS]);
  assertStringIncludes(NEEDS.map((n) => n.command).join(" "), "gcc");
});
