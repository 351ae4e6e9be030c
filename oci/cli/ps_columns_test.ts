import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { columnsOf } from "./ps_columns.ts";

const PROCESS = {
  pid: 2,
  hostPid: 0,
  ppid: 1,
  uid: 7,
  threads: 3,
  ageMs: 93_784_000,
  command: "sh",
};

const headers = (...options: string[]) => columnsOf(options).map((column) => column.header);

Deno.test("options that choose processes change nothing; -o chooses columns", () => {
  const all = ["UID", "PID", "PPID", "THREADS", "AGE", "COMMAND"];
  for (const options of [[], ["-ef"], ["aux"], ["-A", "-f"]]) {
    assertEquals(headers(...options), all);
  }
  assertEquals(headers("-o", "pid,comm"), ["PID", "COMMAND"]);
  assertEquals(headers("-eo", "pid", "-ouid=WHO"), ["PID", "WHO"]);
  assertEquals(headers("ax", "o", "pid", "--format=ppid"), ["PID", "PPID"]);
  const values = columnsOf(["-o", "user,nlwp,etime,etimes,comm"]).map((c) => c.value(PROCESS));
  assertEquals(values, ["7", "3", "1-02:03:04", "93784", "sh"]);
});

Deno.test("an option of ps(1) that is not supported is an error that names it", () => {
  for (
    const [options, message] of [
      [["--forest"], "no option --forest"],
      [["-p", "1"], "no option -p"],
      [["-o", "pid,rss"], 'no column "rss"'],
      [["-o"], "needs a list"],
      [["-o", "toString"], 'no column "toString"'],
    ] as const
  ) assertThrows(() => columnsOf(options), UserError, message);
});
