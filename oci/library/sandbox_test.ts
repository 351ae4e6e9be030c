import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { NotFoundError, SandboxError, SandboxGoneError, TimeoutError } from "./errors.ts";
import { Sandbox } from "./sandbox.ts";

/** Runs `fn` with an executable of this text in place of dvisor. */
async function withBinary(script: string, fn: (binary: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "dvisor-library-" });
  try {
    const binary = join(directory, "dvisor");
    await Deno.writeTextFile(binary, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await fn(binary);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("create: no executable, and one that does not run, are named", async () => {
  const missing = await assertRejects(() => Sandbox.create({ binary: "/no/such" }), NotFoundError);
  assertStringIncludes(missing.message, "`binary` names /no/such");
  await withBinary("", async (binary) => {
    await Deno.chmod(binary, 0o644);
    await assertRejects(() => Sandbox.create({ binary }), NotFoundError, binary);
  });
});

Deno.test("create: what dvisor says on its standard error is the message", async () => {
  await withBinary("echo 'dvisor: no room' >&2; exit 1", async (binary) => {
    const error = await assertRejects(() => Sandbox.create({ binary }), SandboxError);
    assertEquals([error.code, error.message], ["Failed", "the sandbox has ended: no room"]);
  });
  await withBinary("exit 3", async (binary) => {
    await assertRejects(() => Sandbox.create({ binary }), SandboxError, "code 3");
  });
});

Deno.test("create: a program that is not dvisor is found out", async () => {
  await withBinary("echo usage: something else; cat >/dev/null", async (binary) => {
    const error = await assertRejects(() => Sandbox.create({ binary }), SandboxError);
    assertEquals(error.code, "Protocol");
  });
});

Deno.test("create: a start that takes too long ends, and so does one that is aborted", async () => {
  await withBinary("exec sleep 1000", async (binary) => {
    const late = () => Sandbox.create({ binary, startTimeoutMs: 50 });
    await assertRejects(late, TimeoutError, "did not start within 50 ms");
  });
  await withBinary("cat >/dev/null", async (binary) => {
    const signal = AbortSignal.timeout(50);
    const error = await assertRejects(() => Sandbox.create({ binary, signal }));
    assert(error instanceof DOMException && error.name === "TimeoutError");
  });
});

Deno.test("a sandbox whose process is gone says so, and can be killed again", async () => {
  // The first frame that cat sends back is its HELLO; the second one breaks the protocol.
  await withBinary("exec cat", async (binary) => {
    const box = await Sandbox.create({ binary, id: "mirror" });
    assertEquals(box.id, "mirror");
    await assertRejects(() => box.exec(["true"]), SandboxError, "protocol");
    await assertRejects(() => box.exec(["true"]), SandboxGoneError);
    await box.kill();
    await box.kill();
  });
});
