import { assertEquals, assertThrows } from "@std/assert";
import type { HostFiles } from "../launch/host_view.ts";
import { requireShownProgram } from "./hidden_program.ts";

const PROGRAMS: Readonly<Record<string, string>> = {
  "/bin/sh": "/bin/sh",
  "/root/bin/sh": "/root/bin/sh",
  "/root/bin/node": "/root/.nvm/bin/node",
  "/usr/bin/deno": "/root/.deno/deno",
  "/srv/app/./run": "/srv/app/run",
};
const FILES: HostFiles = {
  realPath: (path) => PROGRAMS[path] ?? null,
  read: () => "",
  identity: () => null,
};

function check(program: string, mounts: readonly string[] = []): void {
  const view = { isPublic: true, hidden: [{ path: "/root", reason: "a home" }], shown: [] };
  const path = "/root/bin:/usr/bin:/bin";
  requireShownProgram({ program, path, cwd: "/srv/app", view, mounts }, FILES);
}

Deno.test("a program that only a hidden home has is an error that says so", () => {
  const message = 'exec: "node": /root/.nvm/bin/node is not in the sandbox, where /root (a home) ' +
    "seems empty; --show /root/.nvm/bin shows it";
  assertThrows(() => check("node"), Error, message);
  // By a link too.
  assertThrows(() => check("deno"), Error, "/root/.deno/deno is not in the sandbox");
  assertThrows(() => check("/root/bin/sh"), Error, "/root/bin/sh is not in the sandbox");
});

Deno.test("others are the sandbox's to find", () => {
  for (const program of ["sh", "./run", "none", "/bin/sh"]) assertEquals(check(program), undefined);
  assertEquals(check("node", ["/root/bin"]), undefined);
});
