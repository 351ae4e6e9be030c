import { assertEquals, assertThrows } from "@std/assert";
import { splitCommandLine } from "./globals.ts";
import { logLine, MESSAGE_CHARS } from "./client_log.ts";
import { UserError } from "../user_error.ts";

Deno.test("options in front of the verb are runc's, in Go's style", () => {
  const line = splitCommandLine(
    ["-root", "/r", "--log=/l", "--log-format", "json", "--systemd-cgroup=false", "kill", "--all"],
  );
  const { globals } = line;
  assertEquals([line.verb, line.rest, line.asks], ["kill", ["--all"], null]);
  assertEquals([globals.root, globals.log, globals.options["log-format"]], ["/r", "/l", "json"]);
  assertEquals([globals.options["systemd-cgroup"], globals.options.debug, globals.rootless], [
    false,
    false,
    "auto",
  ]);
  assertEquals(splitCommandLine(["--rootless", "false", "x"]).globals.rootless, false);
  assertEquals(splitCommandLine(["--quiet", "x"]).globals.options.quiet, true);
  assertEquals(splitCommandLine(["-v"]).asks, "version");
  assertEquals(splitCommandLine(["help", "-h"]).asks, null);
});

Deno.test("an unknown option or value is an error", () => {
  for (const args of [["--nope", "kill"], ["--log-format", "xml"], ["--rootless=maybe"]]) {
    assertThrows(() => splitCommandLine(args), UserError);
  }
});

Deno.test("log lines are in runc's shape", () => {
  const at = new Date("2024-05-06T07:08:09.123Z");
  assertEquals(
    logLine("json", "error", 'no "x"', at, null),
    '{"level":"error","msg":"no \\"x\\"","time":"2024-05-06T07:08:09Z"}',
  );
  assertEquals(
    logLine("text", "info", "started", at, "c1"),
    'time="2024-05-06T07:08:09Z" level=info msg="started" id=c1',
  );
  const long = logLine("json", "error", "\n".repeat(3 * MESSAGE_CHARS), at, null);
  assertEquals(JSON.parse(long).msg, "\n".repeat(MESSAGE_CHARS), "one line, which has a limit");
});
