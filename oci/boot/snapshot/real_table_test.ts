import { assertEquals } from "@std/assert";
import { HOST_CLASSES } from "../../../kernel/snapshot/rules/host.ts";
import { realTable } from "./real_table.ts";

/** The boot process's own network, and thunks, which no image has. */
const OTHERS = ["RealHostNetwork", "SystrapThunks", "ThunkTable"];

Deno.test("the table of real machines has what a kernel runs on", () => {
  const table = realTable();
  const missing = HOST_CLASSES.filter((name) => table.classNamed(name) === undefined);
  assertEquals(missing, OTHERS);
});
