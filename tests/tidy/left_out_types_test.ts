/** A field of state whose declared type allows what a snapshot leaves out has a rule for it. */

import { assertEquals } from "@std/assert";
import { FATES } from "../../kernel/snapshot/fates.ts";
import { FIELD_RULES } from "../../kernel/snapshot/rules/fields.ts";
import { STATE_CLASSES } from "../../kernel/snapshot/rules/state.ts";
import { fieldsOfLeftOut } from "./left_out_types.ts";
import { type DocModule, readModules } from "./state_table.ts";

/** Types of objects that the host or the boot process makes. */
const HOST_TYPES = `
  AckSource AddressSpace Arena CallObserver Context ExitListener FrameStore GoferClient Host
  HostEvents HostNetwork JobListener KeyHost LineLog OfferedTransport OomListener Platform
  ReportSink Thunks
`.trim().split(/\s+/);

/** Fields whose type allows more than what is ever in them. */
const NEVER: ReadonlyMap<string, string> = new Map([
  ["FutexWaiter.target", "a record with owner and offset, and no FutexKey"],
  ["LockWait.waiter", "that of a task"],
  ["PiState.word", "as FutexWaiter.target"],
  ["TurnAccount.traps", "a Fifo, whose `items` have the rule"],
]);

Deno.test("each field of state whose type allows what is left out has a rule", async () => {
  const leftOut = new Set(HOST_TYPES);
  for (const [name, fate] of FATES) if (fate !== "state") leftOut.add(name);
  const fields = fieldsOfLeftOut(await readModules(), STATE_CLASSES, leftOut);
  const ruled = new Set(FIELD_RULES.map(({ field }) => field));
  assertEquals(fields.filter((field) => !ruled.has(field) && !NEVER.has(field)), []);
  assertEquals(
    [...NEVER.keys()].filter((field) => !fields.includes(field) || ruled.has(field)),
    [],
  );
});

Deno.test("types of fields are followed through unions, subclasses and implementers", () => {
  const named = (typeName: string) => ({ kind: "typeRef", value: { typeName } });
  const declared = (name: string, kind: string, def: object) => ({
    name,
    declarations: [{ kind, declarationKind: "export", def }],
  });
  const fields = [
    { name: "a", tsType: { kind: "array", value: named("Source") } },
    { name: "b", tsType: named("Leaf") },
    { name: "c", tsType: named("Either") },
    { name: "d", isStatic: true, tsType: named("Cache") },
  ];
  const modules: Record<string, DocModule> = {
    "file:///a.ts": {
      symbols: [
        declared("Source", "interface", {}),
        declared("Cache", "class", { implements: [named("Source")] }),
        declared("Leaf", "class", { extends: "Base" }),
        declared("Either", "typeAlias", { tsType: { kind: "union", value: [named("Cache")] } }),
        declared("Base", "class", { properties: fields }),
        declared("Other", "class", { properties: fields }),
      ],
    },
  };
  assertEquals(fieldsOfLeftOut(modules, ["Leaf"], new Set(["Cache"])), ["Base.a", "Base.c"]);
});
