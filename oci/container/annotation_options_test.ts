import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { splitCommandLine } from "../options/globals.ts";
import { UserError } from "../user_error.ts";
import { annotatedGlobals } from "./annotation_options.ts";

function annotated(annotations: Record<string, string>, ...args: string[]) {
  const { globals } = splitCommandLine([...args, "create", "c1"]);
  return annotatedGlobals(globals, new Map(Object.entries(annotations)), "c1");
}

Deno.test("a pod's annotations stand in place of the runtime's options", () => {
  const globals = annotated(
    { "dev.dvisor.platform": "ptrace", "dev.dvisor.overlay": "memory", "other": "x" },
    "--platform=systrap",
    "--network=none",
    "--strace",
  );
  assertEquals(globals.options.platform, "ptrace");
  assertEquals(globals.options.overlay, "memory");
  assertEquals(globals.options.network, "none");
  assertEquals(globals.options.strace, true);
});

Deno.test("annotations switch debug logs only where the runtime's configuration allows it", () => {
  const off = { "dev.dvisor.strace": "false" };
  for (const wish of [{ "dev.dvisor.strace": "true" }, { "dev.dvisor.debug-log": "true" }, off]) {
    assertThrows(() => annotated(wish), UserError, "without --allow-annotated-logs");
    assertThrows(() => annotated(wish, "--strace", "--debug"), UserError, "is not allowed");
  }
  const configured = ["--strace", "--allow-annotated-logs"];
  assertEquals(annotated(off, ...configured).options.strace, false);
});

Deno.test("kvm is the runtime's to choose, not a pod's", () => {
  const wish = { "dev.dvisor.platform": "kvm" };
  assertThrows(() => annotated(wish, "--platform=systrap"), UserError, "expected systrap, ptrace");
  assertThrows(() => annotated(wish), UserError, "expected systrap, ptrace");
  assertEquals(annotated(wish, "--platform=kvm").options.platform, "kvm");
});

Deno.test("nothing changes without annotations of ours", () => {
  const { globals } = splitCommandLine(["create"]);
  assertStrictEquals(annotatedGlobals(globals, new Map([["a", "b"]]), "c1"), globals);
});

Deno.test("options that there are not, and files of the host, are errors", () => {
  const bad = {
    "dev.dvisor.debug-log": "/etc/passwd",
    "dev.dvisor.root": "/x",
    "dev.dvisor.require-sandbox": "false",
    "dev.dvisor.platform": "kvm2",
    "dev.dvisor.constructor": "x",
    "dev.dvisor.": "x",
  };
  for (const [key, value] of Object.entries(bad)) {
    assertThrows(() => annotated({ [key]: value }), UserError, "config.json: annotations");
  }
});
