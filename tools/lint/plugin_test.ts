/** Tests of the house plugin: what each rule reports and what it lets pass. */

import { assertEquals } from "@std/assert";
import plugin from "./plugin.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

function findings(file: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, ROOT + file, source).map((d) => d.id.replace("dvisor/", ""));
}

Deno.test("native calls are reported outside ffi/ only", () => {
  for (
    const source of [
      `Deno.dlopen("x", {});`,
      `Deno["dlopen"]("x", {});`,
      `new Deno.UnsafePointerView(p);`,
      `const { dlopen } = Deno;`,
      `const { UnsafePointer: p } = Deno;`,
    ]
  ) {
    assertEquals(findings("kernel/mm/a.ts", source), ["native-only-in-ffi"], source);
    assertEquals(findings("tests/a_test.ts", source), ["native-only-in-ffi"], source);
    assertEquals(findings("ffi/sys/a.ts", source), [], source);
  }
  assertEquals(findings("kernel/mm/a.ts", `Deno.pid; other.dlopen(); const { pid } = Deno;`), []);
});

Deno.test("imports go in the direction of the architecture", () => {
  const cases: [string, string, number][] = [
    ["ffi/sys/a.ts", `import { x } from "../abi/errno.ts";`, 0],
    ["ffi/sys/a.ts", `import { x } from "../../platform/platform.ts";`, 1],
    ["ffi/sys/a_test.ts", `import { x } from "../../platform/platform.ts";`, 0],
    ["platform/ptrace/a.ts", `import { x } from "../../ffi/sys/a.ts";`, 0],
    ["platform/ptrace/a.ts", `import type { X } from "../../kernel/core/a.ts";`, 1],
    ["gofer/server/a.ts", `import { x } from "../../kernel/core/a.ts";`, 1],
    ["kernel/mm/a.ts", `import { x } from "../../ffi/abi/errno.ts";`, 0],
    ["kernel/mm/a.ts", `import { x } from "../../ffi/sys/raw.ts";`, 1],
    ["kernel/mm/a.ts", `import { x } from "../../platform/platform.ts";`, 0],
    ["kernel/mm/a.ts", `import { x } from "../../platform/systrap/a.ts";`, 1],
    ["kernel/fs/gofer/a.ts", `import { x } from "../../../gofer/client/a.ts";`, 0],
    ["kernel/fs/gofer/a.ts", `import { x } from "../../../gofer/server/a.ts";`, 1],
    ["kernel/mm/a.ts", `import { x } from "../vfs/a.ts";`, 1],
    ["kernel/mm/a.ts", `import type { X } from "../vfs/a.ts";`, 0],
    ["kernel/vfs/a.ts", `import { x } from "../mm/a.ts";`, 0],
    ["kernel/syscalls/io/a.ts", `import { x } from "../../task/a.ts";`, 0],
    ["kernel/task/a.ts", `import { x } from "../syscalls/a.ts";`, 1],
    ["kernel/task/a.ts", `import { x } from "../loop.ts";`, 1],
    ["kernel/loop.ts", `import { x } from "./syscalls/table.ts";`, 0],
    ["kernel/loop.ts", `import { x } from "../oci/cli.ts";`, 1],
    ["oci/cli.ts", `import { x } from "../kernel/kernel.ts";`, 0],
    ["oci/cli.ts", `import { x } from "../tests/guest/a.ts";`, 1],
    ["oci/cli.ts", `import { x } from "./a_test.ts";`, 1],
    ["oci/cli.ts", `export { x } from "../tests/a.ts";`, 1],
    ["oci/cli.ts", `export * from "../tests/a.ts";`, 1],
    ["oci/cli.ts", `await import("../tests/a.ts");`, 1],
    ["mod.ts", `import { x } from "./oci/cli.ts";`, 0],
    ["oci/cli.ts", `import { x } from "@std/cli";`, 0],
    ["oci/cli.ts", `import { x } from "@std/assert";`, 1],
    ["oci/cli.ts", `import { x } from "node:fs";`, 1],
    ["oci/cli.ts", `import { x } from "../../outside.ts";`, 1],
    ["tests/real/a_test.ts", `import { x } from "../../kernel/kernel.ts";`, 0],
  ];
  for (const [file, source, count] of cases) {
    assertEquals(findings(file, source), Array(count).fill("import-direction"), file + source);
  }
});

Deno.test("kernel/ and platform/ have no promises, awaits and generators", () => {
  for (
    const source of [
      `export async function f() {}`,
      `export const f = async () => {};`,
      `class A { async f() {} }`,
      `export function* f() {}`,
      `Promise.resolve(1);`,
      `let p: Promise<number>;`,
    ]
  ) {
    assertEquals(findings("kernel/loop.ts", source), ["no-async"], source);
    assertEquals(findings("platform/ptrace/a.ts", source), ["no-async"], source);
    assertEquals(findings("kernel/loop_test.ts", source), [], source);
    assertEquals(findings("oci/cli.ts", source), [], source);
  }
  assertEquals(findings("kernel/loop.ts", `await x; for await (const y of z) {}`), [
    "no-async",
    "no-async",
  ]);
});

Deno.test("default exports, enums and double casts are reported everywhere", () => {
  assertEquals(findings("oci/a.ts", `export default 1;`), ["no-default-export"]);
  assertEquals(findings("oci/a.ts", `enum A { B }`), ["no-enum"]);
  assertEquals(findings("oci/a.ts", `const a = b as unknown as string;`), ["no-double-cast"]);
  assertEquals(findings("oci/a.ts", `const a = b as string;`), []);
});
