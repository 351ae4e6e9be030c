/**
 * What a guest of `do` sees of this host's files (oci/launch/host_view.ts): a hostile root cannot
 * read what others on this host may not. The Gofer alone, with a client that lies, is in
 * gofer/server/visible_part_test.ts.
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { describe, doCommand, PLATFORM, ROOT, run } from "../harness/dvisor.ts";
import { isRoot, named, PYTHON } from "../harness/machine.ts";

const MARKER = "a secret of this host", OPEN = "for everyone";

/** Secrets, and what a guest may read: "open", "own", "known". Mode and path. */
const TREE: readonly (readonly [mode: number, path: string])[] = [
  [0o755, "workplace/"],
  [0o600, "workplace/own"],
  [0o644, "open"],
  [0o640, "shadow"],
  [0o700, "private/"],
  [0o755, "private/deep/"],
  [0o644, "private/secret"],
  [0o644, "private/deep/secret"],
  [0o755, "home/"],
  [0o644, "home/diary"],
  [0o711, "listed-not/"],
  [0o644, "listed-not/known"],
];

function contentOf(path: string): string {
  return /o(pe|w)n$|known$/.test(path) ? OPEN : MARKER;
}

async function inTree(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-view-" });
  try {
    for (const [, path] of TREE) {
      if (path.endsWith("/")) Deno.mkdirSync(`${dir}/${path}`);
      else Deno.writeTextFileSync(`${dir}/${path}`, contentOf(path));
    }
    Deno.linkSync(`${dir}/shadow`, `${dir}/hard`);
    Deno.symlinkSync("private/secret", `${dir}/link`);
    for (const [mode, path] of TREE) Deno.chmodSync(`${dir}/${path}`, mode);
    Deno.chmodSync(dir, 0o755);
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function inSandbox(dir: string, options: readonly string[], ...command: string[]) {
  const env = { HOME: `${dir}/home` };
  const argv = [...doCommand(PLATFORM, ...options), ...command];
  return run(argv, { cwd: `${dir}/workplace`, env, timeoutS: 240 });
}

Deno.test({
  ...named(
    "root of a sandbox cannot read what others on this host may not, by any way",
    !isRoot ? "needs root" : PYTHON === null ? "no python3 on this machine" : null,
  ),
  fn: () =>
    inTree(async (dir) => {
      const script = `${ROOT}/tests/hostile/guests/host_files.py`;
      const text = Deno.readTextFileSync(script), options = JSON.stringify({ dir, marker: MARKER });
      const result = await inSandbox(dir, [], PYTHON ?? "", "-B", "-c", text, options);
      assertEquals([result.code, result.stdout], [0, "done\n"], describe(result));
    }),
});

const SHOW = 'for f in "$@"; do echo "$f: $(cat "$f" 2>&1 | head -c 22)"; done';

async function contents(dir: string, options: readonly string[], ...paths: string[]) {
  const given = options.map((option) => option.replace("DIR", dir));
  const files = paths.map((path) => `${dir}/${path}`);
  const result = await inSandbox(dir, given, "sh", "-c", SHOW, "sh", ...files);
  assertEquals(result.code, 0, describe(result));
  const lines = result.stdout.trimEnd().split("\n");
  return lines.map((line, i) =>
    line.slice((files[i]?.length ?? 0) + 2).replace(/^cat:.*$/, "none")
  );
}

Deno.test("the working directory is there, --show, --hide and --home change what is", async () => {
  await inTree(async (dir) => {
    const all = [
      "workplace/own",
      "open",
      "shadow",
      "private/secret",
      "home/diary",
      "listed-not/known",
    ];
    const secret = (...shown: number[]) =>
      all.map((path, i) => shown.includes(i) ? contentOf(path) : path === "shadow" ? "" : "none");
    assertEquals(await contents(dir, [], ...all), secret(0, 1, 5));
    assertEquals(await contents(dir, ["--home"], ...all), secret(0, 1, 4, 5));
    assertEquals(await contents(dir, ["--show=DIR/private"], ...all), secret(0, 1, 3, 5));
    assertEquals(await contents(dir, ["--show=DIR/shadow"], ...all), secret(0, 1, 2, 5));
    assertEquals(await contents(dir, ["--show=/"], ...all), secret(0, 1, 2, 3, 4, 5));
    const hide = ["--show=/", "--hide=DIR/home", "--hide=DIR/listed-not"];
    assertEquals(await contents(dir, hide, ...all), secret(0, 1, 2, 3));
    const deep = await contents(
      dir,
      ["--show=DIR/private/deep"],
      "private/deep/secret",
      "private/secret",
    );
    assertEquals(deep, [MARKER, "none"]);
  });
});

Deno.test("what seems empty can be written, for the sandbox alone", async () => {
  await inTree(async (dir) => {
    const script = `cd ${dir}; echo new > shadow; echo new > private/secret
      ls private home; echo x > home/.profile; cat shadow private/secret home/.profile
      rm -r private home; ls`;
    const result = await inSandbox(dir, [], "sh", "-ec", script);
    const expected =
      "home:\n\nprivate:\nsecret\nnew\nnew\nx\nhard\nlink\nlisted-not\nopen\nshadow\nworkplace\n";
    assertEquals(result.stdout, expected, describe(result));
    assertEquals(Deno.readTextFileSync(`${dir}/private/secret`), MARKER);
  });
});

Deno.test({
  ...named(
    "below the guest's /proc, /sys and /dev there is nothing of this host's",
    isRoot ? null : "needs root",
  ),
  fn: () =>
    inTree(async (dir) => {
      const below = `mkdir m; mount --bind / m; find m/proc m/sys m/dev -mindepth 1
        umount m; rmdir m; umount -l /sys; umount -l /proc; ls -A /proc /sys
        mount -t proc p /proc; test -d /proc/1`;
      for (const option of ["--show=/", "--rw"]) {
        const result = await inSandbox(dir, [option], "sh", "-ec", below);
        assertEquals([result.code, result.stdout], [0, "/proc:\n\n/sys:\n"], describe(result));
      }
      const change = `mkdir m; mount --bind / m; echo x > m/proc/x; umount m; rmdir m`;
      const result = await inSandbox(dir, ["--rw"], "sh", "-c", change);
      assertStringIncludes(result.stderr, "Read-only file system", describe(result));
    }),
});

Deno.test("a program that others may execute and not read is neither", async () => {
  await inTree(async (dir) => {
    const program = `${dir}/workplace/../program`;
    Deno.copyFileSync("/bin/true", program);
    Deno.chmodSync(program, 0o4711);
    const result = await inSandbox(dir, [], "sh", "-c", `wc -c < ${program}; ${program}`);
    assertEquals([result.code, result.stdout.trim()], [126, "0"], describe(result));
  });
});

Deno.test("paths that make no sense are refused by their names", async () => {
  const cases: readonly (readonly [string[], string])[] = [
    [["--show=/no/such"], "--show /no/such: there is no such file"],
    [["--hide=/no/such"], "--hide /no/such: there is no such file"],
    [["--hide=etc/no"], "/etc/no: there is no such file"],
    [["--root=/", "--hide=etc"], `--hide is "etc", expected an absolute path of the sandbox`],
    [["--hide=/usr", "--show=/usr/"], "/usr is in --show and in --hide"],
    [["--show=/proc/sys"], "--show /proc/sys: a sandbox never sees this host's kernel there"],
    [["--rw", "--hide=/usr"], "--hide cannot be given with --rw, which shows all"],
    [["--root=/usr", "--hide=/etc/passwd"], "--hide /etc/passwd: there is no such file"],
  ];
  for (const [options, message] of cases) {
    const { code, stderr } = await run([...doCommand(PLATFORM, ...options), "true"]);
    assertEquals(code === 0, false, message);
    assertStringIncludes(stderr, message);
  }
});
