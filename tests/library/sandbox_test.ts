/**
 * The library for scripts (mod.ts): its suite, and what its documentation says. Neighbour:
 * `examples_test.ts` runs the scripts in docs/examples.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import * as library from "../../mod.ts";
import { PLATFORM, ROOT } from "../harness/dvisor.ts";
import { isRoot, lacks, named, noUsers } from "../harness/machine.ts";
import { cases, missingFor, type SuiteOptions } from "./suite.ts";

const why = isRoot ? null : noUsers;
const options: SuiteOptions = {
  create: { binary: join(ROOT, "dist/dvisor"), platform: PLATFORM },
  command: [Deno.execPath(), "run", "-A", "--no-check", "-q"],
  library: new URL("../../mod.ts", import.meta.url).href,
  script: join(ROOT, "tests/library/script.ts"),
};

for (const one of cases) {
  Deno.test({
    ...named(`library: ${one.name}`, why ?? await missingFor(one)),
    fn: () => one.run(library, options),
  });
}

/** Runs Deno in a folder, the project's or another one. @returns its output */
async function deno(cwd: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text + new TextDecoder().decode(stderr));
  return text;
}

Deno.test("library: a project without its packages imports it", async () => {
  const other = await Deno.makeTempDir({ prefix: "dvisor-other-" });
  try {
    const script = join(other, "script.ts"), name = join(ROOT, "mod.ts");
    const lines = [
      `import { NotFoundError, Sandbox, type SandboxOptions } from ${JSON.stringify(name)};`,
      `const options: SandboxOptions = { binary: "/no/such" };`,
      `await Sandbox.create(options).catch((error: unknown) => {`,
      `  console.log(error instanceof NotFoundError);`,
      `});`,
    ];
    await Deno.writeTextFile(script, lines.join("\n"));
    await deno(other, "check", "-q", script);
    assertEquals(await deno(other, "run", "-A", "--no-check", "-q", script), "true\n");
  } finally {
    await Deno.remove(other, { recursive: true });
  }
});

Deno.test({
  ...named("library: the examples in its documentation run", why ?? lacks(["python3"])),
  fn: async () => {
    const files = [...Deno.readDirSync(join(ROOT, "oci/library"))].map(({ name }) => name)
      .filter((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"))
      .map((name) => `oci/library/${name}`);
    const text = await deno(ROOT, "test", "-A", "--no-check", "-q", "--doc", ...files);
    assertStringIncludes(text, "15 passed");
  },
});
