/**
 * No silent lies: a handler looks at each argument that the table calls flags, and none only
 * returns 0.
 */

import { assertEquals } from "@std/assert";
import { ALL_ROWS } from "../../kernel/syscalls/x86_64.ts";
import { HandlerTexts } from "./handler_text.ts";
import { type SourceFile, sourceFiles } from "./source_files.ts";

const FLAGS = new Set(["hex", "openflags", "mmapprot", "mmapflags", "cloneflags"]);

const handlers = new HandlerTexts(
  sourceFiles((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"))
    .filter((file) => file.path.startsWith("kernel/")),
);

/** Arguments that Linux does not look at either, with the reason. */
const UNREAD: Readonly<Record<string, string>> = {};

/** Handlers that may return 0 without a look, with the reason. */
const EMPTY: Readonly<Record<string, string>> = {
  sched_yield: "the host schedules threads; the row says so",
};

Deno.test("each handler is found", () => {
  assertEquals(ALL_ROWS.filter((row) => !handlers.has(row.handler.name)).map((r) => r.name), []);
});

Deno.test("each argument that is flags is looked at", () => {
  const unread = ALL_ROWS.filter((row) => row.support !== "refused").flatMap((row) => {
    const read = handlers.argumentsRead(row.handler.name);
    return row.args.split(" ").flatMap((type, i) =>
      FLAGS.has(type) && read !== null && !read.has(i) && UNREAD[`${row.name} ${i}`] === undefined
        ? [`${row.name}: argument ${i}`]
        : []
    );
  });
  assertEquals(unread, []);
});

Deno.test("no handler only returns 0", () => {
  const empty = ALL_ROWS.filter((row) => handlers.isEmpty(row.handler.name));
  assertEquals(empty.map((row) => row.name).filter((name) => EMPTY[name] === undefined), []);
});

Deno.test("HandlerTexts finds the arguments that are read, and handlers that only return 0", () => {
  const text = `export function sysA(t: Task, a: SyscallArgs): number {
  return a.u32(2) !== 0 ? -EINVAL : both(t, a, 1);
}

function both(t: Task, a: SyscallArgs, n: number): number {
  return a.i32(0) + n;
}

export function sysB(_t: Task): number {
  return 0;
}
`;
  const found = new HandlerTexts([{ path: "x.ts", text, lines: [] } satisfies SourceFile]);
  assertEquals([...found.argumentsRead("sysA") ?? []].sort(), [0, 2]);
  assertEquals([found.isEmpty("sysA"), found.isEmpty("sysB")], [false, true]);
});
