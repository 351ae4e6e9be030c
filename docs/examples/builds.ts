/**
 * Runs a build in 20 sandboxes at once, each with other flags, and compares what they made.
 *
 *     deno run -A docs/examples/builds.ts
 */

import { Sandbox } from "../../mod.ts";

const COUNT = 20, AT_ONCE = 4, TIME_MS = 60_000;
const SOURCE = `
#include <stdio.h>
int main(void) { printf("variant %d\\n", VARIANT); }
`;

interface Built {
  readonly variant: number;
  readonly bytes: number;
  readonly output: string;
}

async function build(variant: number): Promise<Built> {
  await using box = await Sandbox.create();
  await box.fs.writeFile("/tmp/main.c", SOURCE);
  const compile = ["gcc", "-O2", `-DVARIANT=${variant}`, "-o", "/tmp/main", "/tmp/main.c"];
  const compiled = await box.exec(compile, { timeoutMs: TIME_MS });
  if (compiled.code !== 0) throw new Error(`variant ${variant}: ${compiled.errorText}`);
  const { text } = await box.exec(["/tmp/main"], { timeoutMs: TIME_MS });
  const program = await box.fs.readFile("/tmp/main");
  return { variant, bytes: program.length, output: text.trim() };
}

/** All variants, a few at a time. */
async function buildAll(): Promise<Built[]> {
  const built: Built[] = [];
  let next = 0;
  const worker = async () => {
    while (next < COUNT) {
      const variant = next++;
      built[variant] = await build(variant);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return built;
}

if (import.meta.main) {
  for (const { variant, bytes, output } of await buildAll()) {
    console.log(`${variant}: ${bytes} bytes, says "${output}"`);
  }
}
