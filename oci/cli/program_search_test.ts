import { assertEquals, assertThrows } from "@std/assert";
import {
  explainProgram,
  type ProgramFiles,
  type ProgramSearch,
  requireShownProgram,
} from "./program_search.ts";

const PROGRAMS: Readonly<Record<string, string>> = {
  "/bin/sh": "/bin/sh",
  "/root/bin/sh": "/root/bin/sh",
  "/root/bin/node": "/root/.nvm/bin/node",
  "/usr/bin/deno": "/root/.deno/deno",
  "/srv/app/./run": "/srv/app/run",
  "/bin/notes": "/bin/notes",
  "/usr/bin": "/usr/bin",
};
const FILES: ProgramFiles = {
  realPath: (path) => PROGRAMS[path] ?? null,
  modeOf: (path) => path === "/usr/bin" ? null : path === "/bin/notes" ? 0o644 : 0o755,
};

function searchOf(program: string, mounts: readonly string[]): ProgramSearch {
  const view = { isPublic: true, hidden: [{ path: "/root", reason: "a home" }], shown: [] };
  const path = "/root/bin:/usr/bin:/bin";
  return { program, path, cwd: "/srv/app", root: "/", view, mounts };
}

function check(program: string, mounts: readonly string[] = []): void {
  requireShownProgram(searchOf(program, mounts), FILES);
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

Deno.test("the file that runs is named, or why none does", () => {
  const texts: readonly (readonly [program: string, text: string])[] = [
    ["sh", "/bin/sh"],
    ["./run", "/srv/app/run"],
    [
      "/usr/bin/deno",
      "none: /root (a home) seems empty; --show /root/.deno shows /root/.deno/deno",
    ],
    ["nosuch", "none: no directory of PATH has a program nosuch"],
    ["/usr/bin", "none: there is no file /usr/bin"],
    ["notes", "none: /bin/notes is not executable"],
    ["node", "none: /root (a home) seems empty; --show /root/.nvm/bin shows /root/.nvm/bin/node"],
  ];
  for (const [program, text] of texts) {
    assertEquals(explainProgram(searchOf(program, []), FILES), text);
  }
  const inside = "looked up at the start, first at /usr/bin/deno";
  assertEquals(explainProgram(searchOf("/usr/bin/deno", ["/usr"]), FILES), inside);
  const inRoot = { ...searchOf("sh", []), root: "/var/lib/image" };
  assertEquals(explainProgram(inRoot, FILES), "looked up at the start, first at /root/bin/sh");
});
