/** Tests of the house plugin: what each rule reports and what it lets pass. */

import { assert, assertEquals } from "@std/assert";
import { MODULE_STATE } from "./module_state.ts";
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
    ["kernel/mm/a.ts", `import type { X } from "../vfs/a.ts";`, 1],
    ["kernel/vfs/a.ts", `import { x } from "../mm/a.ts";`, 0],
    ["kernel/syscalls/io/a.ts", `import { x } from "../../task/a.ts";`, 0],
    ["kernel/task/a.ts", `import { x } from "../syscalls/a.ts";`, 1],
    ["kernel/task/a.ts", `import { x } from "../loop.ts";`, 1],
    ["kernel/futex/a.ts", `import { x } from "./calls/b.ts";`, 1],
    ["kernel/futex/calls/a.ts", `import { x } from "../../syscalls/table.ts";`, 0],
    ["kernel/syscalls/a.ts", `import { x } from "../futex/calls/b.ts";`, 0],
    ["kernel/proc/fs/a.ts", `import { x } from "../b.ts";`, 1],
    ["kernel/landlock/domain.ts", `import { x } from "../vfs/inode.ts";`, 1],
    ["kernel/loop.ts", `import { x } from "./syscalls/table.ts";`, 0],
    ["kernel/loop.ts", `import { x } from "../oci/cli.ts";`, 1],
    ["oci/boot/a.ts", `import { x } from "../../kernel/kernel.ts";`, 0],
    ["oci/boot/a.ts", `import { x } from "../protocol/a.ts";`, 0],
    ["oci/boot/a.ts", `import { x } from "../launch/a.ts";`, 1],
    ["oci/boot/a.ts", `import type { X } from "../launch/a.ts";`, 1],
    ["oci/launch/a.ts", `import { x } from "../container/a.ts";`, 1],
    ["oci/container/a.ts", `import { x } from "../launch/cgroup/a.ts";`, 0],
    ["oci/launch/a.ts", `import { x } from "../../kernel/core/bytes.ts";`, 0],
    ["oci/launch/a.ts", `import { x } from "../../kernel/task/a.ts";`, 1],
    ["oci/launch/a.ts", `import type { X } from "../../kernel/task/a.ts";`, 0],
    ["oci/cli/verbs/list.ts", `import { x } from "../../boot/a.ts";`, 1],
    ["oci/cli/verbs/boot.ts", `import { x } from "../../boot/a.ts";`, 0],
    ["oci/cli/verbs/syscalls.ts", `import { x } from "../../../kernel/syscalls/a.ts";`, 0],
    ["oci/user_error.ts", `import { x } from "./launch/a.ts";`, 1],
    ["oci/parts.ts", `import { x } from "../tests/guest/a.ts";`, 1],
    ["oci/parts.ts", `import { x } from "./a_test.ts";`, 1],
    ["oci/parts.ts", `export { x } from "../tests/a.ts";`, 1],
    ["oci/parts.ts", `export * from "../tests/a.ts";`, 1],
    ["oci/parts.ts", `await import("../tests/a.ts");`, 1],
    ["mod.ts", `export { x } from "./oci/library/a.ts";`, 0],
    ["mod.ts", `import { x } from "./oci/parts.ts";`, 1],
    ["oci/parts.ts", `import { x } from "@std/cli";`, 0],
    ["oci/parts.ts", `import { x } from "@std/assert";`, 1],
    ["oci/parts.ts", `import { x } from "node:fs";`, 1],
    ["oci/parts.ts", `import { x } from "../../outside.ts";`, 1],
    ["oci/library/a.ts", `import { x } from "node:fs";`, 0],
    ["oci/library/a.ts", `import { x } from "@std/path";`, 1],
    ["oci/library/a.ts", `import { x } from "../protocol/session/a.ts";`, 0],
    ["oci/library/a.ts", `import { x } from "../protocol/a.ts";`, 1],
    ["oci/library/a.ts", `import { x } from "../../ffi/abi/a.ts";`, 1],
    ["oci/library/a_test.ts", `import { x } from "@std/assert";`, 0],
    ["oci/protocol/session/a.ts", `import { x } from "../a.ts";`, 1],
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
      `type P = Promise<number>;`,
    ]
  ) {
    assertEquals(findings("kernel/loop.ts", source), ["no-async"], source);
    assertEquals(findings("platform/ptrace/a.ts", source), ["no-async"], source);
    assertEquals(findings("kernel/loop_test.ts", source), [], source);
    assertEquals(findings("oci/parts.ts", source), [], source);
  }
  assertEquals(findings("kernel/loop.ts", `await x; for await (const y of z) {}`), [
    "no-async",
    "no-async",
  ]);
});

Deno.test("what Node and Bun run has no Deno, and types that can be erased", () => {
  for (
    const source of [
      `Deno.pid;`,
      `class A { constructor(readonly a: number) {} }`,
      `namespace N { export const a = 1; }`,
      `{ using a = f(); }`,
      `{ await using a = f(); }`,
    ]
  ) {
    assertEquals(findings("oci/library/a.ts", source), ["portable"], source);
    assertEquals(findings("oci/protocol/session/a.ts", source), ["portable"], source);
    assertEquals(findings("oci/library/a_test.ts", source), [], source);
    assertEquals(findings("oci/parts.ts", source), [], source);
  }
});

Deno.test("default exports, enums and double casts are reported everywhere", () => {
  assertEquals(findings("oci/a.ts", `export default 1;`), ["no-default-export"]);
  assertEquals(findings("oci/a.ts", `enum A { B }`), ["no-enum"]);
  assertEquals(findings("oci/a.ts", `const a = b as unknown as string;`), ["no-double-cast"]);
  assertEquals(findings("oci/a.ts", `const a = b as string;`), []);
});

Deno.test("modules of the kernel hold no state", () => {
  for (
    const source of [
      `let x = 0;`,
      `export let x: number;`,
      `var x = 1;`,
      `const x = [1];`,
      `const x = { a: 1 };`,
      `const x = new Map();`,
      `export const x: Map<string, number> = make();`,
      `export const x: Foo = new Foo();`,
      `const x: number[] = make();`,
      `const x = [1].map((n) => n);`,
      `const x = Uint8Array.of(1);`,
      `const x = new Uint8Array(8);`,
      `const x = (() => { let n = 0; return () => n++; })();`,
      `class A { static x = 0; }`,
      `export class A { static readonly x = new Map(); }`,
      `const x: { a: number } = { a: 1 };`,
    ]
  ) {
    assertEquals(findings("kernel/mm/a.ts", source), ["no-module-state"], source);
    assertEquals(findings("kernel/mm/a_test.ts", source), [], source);
    assertEquals(findings("kernel/testing/a.ts", source), [], source);
    assertEquals(findings("oci/a.ts", source), [], source);
  }
});

Deno.test("modules of the kernel hold constants", () => {
  for (
    const source of [
      `const X = 1, Y = "a", Z = make(), R = /a/;`,
      `const X: readonly number[] = [1];`,
      `const X: readonly [string, number] = ["a", 1];`,
      `const X = [1] as const;`,
      `const X = { a: 1 } as const;`,
      `const X: ReadonlyMap<string, number> = new Map();`,
      `const X: Readonly<Record<string, number>> = { a: 1 };`,
      `const X: { readonly a: number } = { a: 1 };`,
      `const X = Object.freeze({ a: 1 });`,
      `const NONE = new Uint8Array(0);`,
      `export const X: CapSet = { lo: 0, hi: 0 };`,
      `class A { static readonly X = 1; y = 2; }`,
      `function f() { let x = []; return x; }`,
    ]
  ) assertEquals(findings("kernel/mm/a.ts", source), [], source);
});

Deno.test("each name in the list of module state exists and is no constant", () => {
  const entry = MODULE_STATE[0];
  assert(entry !== undefined);
  assertEquals(findings(entry.file, `export {};`), entry.names.map(() => "no-module-state"));
  for (const { file } of MODULE_STATE) assert(Deno.statSync(ROOT + file).isFile, file);
});

Deno.test("types that are listed as immutable have no field that changes", () => {
  const file = "kernel/cred/a.ts";
  assertEquals(findings(file, `interface CapSet { lo: number; }`), ["readonly-types"]);
  assertEquals(findings(file, `class CapSet { lo: number = 0; }`), ["readonly-types"]);
  assertEquals(findings(file, `type CapSet = number[];`), ["readonly-types"]);
  assertEquals(findings(file, `interface CapSet { readonly lo: number; f(): void; }`), []);
});
