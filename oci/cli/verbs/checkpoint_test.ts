import { assertEquals, assertThrows } from "@std/assert";
import { noGlobals } from "../../options/globals.ts";
import { UserError } from "../../user_error.ts";
import { withWorkLog } from "../checkpoint_options.ts";
import { command as checkpoint, parseCompression } from "./checkpoint.ts";
import { command as restore } from "./restore.ts";

Deno.test("checkpoint and restore: options that are not done are errors with names", () => {
  for (const { name, run } of [checkpoint, restore]) {
    const refused = (...args: string[]) => (message: string) =>
      assertThrows(() => run([...args, "web"], noGlobals()), UserError, message);
    refused("--lazy-pages")("--lazy-pages is not supported");
    refused("--auto-dedup")("--auto-dedup is not supported");
    refused("-direct")("--direct is not supported");
    refused("--manage-cgroups-mode", "full")("--manage-cgroups-mode full is not supported");
    refused("--manage-cgroups-mode=strict")("--manage-cgroups-mode strict is not supported");
    refused("--manage-cgroups-mode", "any")("expected soft, full, strict, ignore");
    refused("--empty-ns", "network", "--empty-ns", "pid")('namespace "pid" is not supported');
    refused("--tcp", "keep")("expected refuse, reset");
    refused("--tcp=reset", "--tcp-established")("contradict each other");
    assertThrows(() => run([], noGlobals()), UserError, `${name} needs an ID`);
    assertThrows(() => run(["a", "b"], noGlobals()), UserError, 'unexpected argument "b"');
  }
});

Deno.test("checkpoint: what belongs to other programs of CRIU is an error", () => {
  const refused = (message: string, ...args: string[]) =>
    assertThrows(() => checkpoint.run([...args, "web"], noGlobals()), UserError, message);
  refused("--page-server is not supported", "--page-server", "127.0.0.1:1");
  refused("--status-fd is not supported", "--status-fd", "3");
  refused("--parent-path must be relative", "--parent-path", "/tmp");
  refused(
    "missing cannot be used",
    "--image-path",
    "/nonexistent/image",
    "--parent-path",
    "missing",
  );
  refused("/dev/null is no directory", "--image-path", "/dev", "--parent-path", "null");
});

Deno.test("restore: profiles of security modules are errors", () => {
  for (const option of ["--lsm-profile", "--lsm-mount-context"]) {
    const run = () => restore.run([option, "x", "web"], noGlobals());
    assertThrows(run, UserError, `${option} is not supported`);
  }
});

Deno.test("checkpoint: levels of compression, as numbers and in runsc's words", () => {
  assertEquals(["none", "flate-best-speed", "1", "19"].map(parseCompression), [0, 1, 1, 19]);
  for (const bad of ["", "0", "20", "-1", "best", "1.5"]) {
    assertThrows(() => parseCompression(bad), UserError, "--compression");
  }
});

Deno.test("the work directory has the result or the error of a verb", () => {
  const directory = Deno.makeTempDirSync({ prefix: "dvisor-work-" }), work = `${directory}/work`;
  try {
    withWorkLog(work, "dump.log", () => "saved");
    assertEquals(Deno.readTextFileSync(`${work}/dump.log`), "saved\n");
    const fail = () => {
      throw new UserError("no room");
    };
    assertThrows(() => withWorkLog(work, "dump.log", fail), UserError, "no room");
    assertEquals(Deno.readTextFileSync(`${work}/dump.log`), "Error: no room\n");
    assertThrows(() => withWorkLog("/dev/null", "dump.log", () => ""), UserError, "--work-path");
    withWorkLog(null, "dump.log", () => "");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
