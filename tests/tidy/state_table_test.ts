/** The table of state is the one that `deno task state` makes of the sources. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { STATE_CLASSES } from "../../kernel/snapshot/rules/state.ts";
import { ROOT } from "./source_files.ts";
import { Classes, type DocProperty, stateTable, TABLE, tableText } from "./state_table.ts";

Deno.test("the table of state is what deno task state makes", async () => {
  const isSame = Deno.readTextFileSync(TABLE) === await stateTable();
  assert(isSame, "kernel/snapshot/state_table.ts is out of date: run deno task state");
});

Deno.test("the list of classes of state is in order, without doubles", () => {
  assertEquals(STATE_CLASSES, [...new Set(STATE_CLASSES)].sort());
});

/** A class as `deno doc` describes it. */
function declaration(name: string, fields: readonly DocProperty[], base?: string, kind = "export") {
  const def = { ...(base === undefined ? {} : { extends: base }), properties: fields };
  return { name, declarations: [{ kind: "class", declarationKind: kind, def }] };
}

const field = (name: string, more: Partial<DocProperty> = {}): DocProperty => ({ name, ...more });
const url = (path: string) => `file://${ROOT}/${path}`;

const CLASSES = new Classes({
  [url("kernel/vfs/base.ts")]: {
    symbols: [
      declaration("Base", [field("fs"), field("kind", { isAbstract: true }), field("mode")]),
      declaration("Twice", []),
    ],
  },
  [url("kernel/fs/derived.ts")]: {
    imports: [{ importedName: "Parent", originalName: "Base", src: url("kernel/vfs/base.ts") }],
    symbols: [
      declaration(
        "Derived",
        [field("kind"), field("fs"), field("all", { isStatic: true })],
        "Parent",
      ),
      declaration("Hidden", [], undefined, "private"),
      declaration("Twice", []),
      declaration("Lost", [], "Missing"),
    ],
  },
});

Deno.test("an object has the fields of its base class first, and each at one place", () => {
  const text = tableText(CLASSES, ["Base", "Derived"]);
  assert(text.includes(`stateRow(Base, "Base", "fs mode"),`), text);
  assert(text.includes(`stateRow(Derived, "Derived", "fs mode kind"),`), text);
  assert(text.includes(`import { Derived } from "../fs/derived.ts";`), text);
});

Deno.test("what the table cannot hold is reported", () => {
  assertThrows(() => tableText(CLASSES, ["Nowhere"]), Error, "Nowhere is declared nowhere");
  assertThrows(() => tableText(CLASSES, ["Hidden"]), Error, "Hidden is not exported by");
  assertThrows(() => tableText(CLASSES, ["Twice"]), Error, "kernel/vfs/base.ts and kernel/fs");
  assertThrows(() => tableText(CLASSES, ["Lost"]), Error, "Lost: its base class Missing");
  const symbols = [declaration("Odd", [field("#x")])];
  assertThrows(() => new Classes({ [url("kernel/odd.ts")]: { symbols } }), Error, "#x");
});
