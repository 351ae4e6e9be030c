import { assertEquals } from "@std/assert";
import { FATES } from "../fates.ts";
import { STATE_TABLE } from "../state_table.ts";
import { DERIVED_CLASSES, FETCHED_CLASSES } from "./derived.ts";
import { FIELD_RULES } from "./fields.ts";
import { BOOT_CLASSES, HOST_CLASSES } from "./host.ts";
import { NUMBER_RULES } from "./numbers.ts";
import { STATE_CLASSES } from "./state.ts";

/** The fields of all classes of state, as "Class.field", by the classes and their base classes. */
function fieldsOfState(): Set<string> {
  const all = new Set<string>();
  for (const { made, fields } of STATE_TABLE) {
    let at: object | null = made.prototype;
    for (; at !== null; at = Object.getPrototypeOf(at)) {
      for (const field of fields) all.add(`${at.constructor.name}.${field}`);
    }
  }
  return all;
}

const STATE = fieldsOfState();

Deno.test("a class has one fate", () => {
  const lists = [STATE_CLASSES, DERIVED_CLASSES, FETCHED_CLASSES, HOST_CLASSES, BOOT_CLASSES];
  assertEquals(FATES.size, lists.flat().length);
});

Deno.test("rules are about fields of state, and each field has one", () => {
  for (const rules of [FIELD_RULES, NUMBER_RULES]) {
    const fields = rules.map(({ field }) => field);
    assertEquals(fields.filter((field) => !STATE.has(field)), []);
    assertEquals(fields.filter((field, i) => fields.indexOf(field) !== i), []);
  }
});
