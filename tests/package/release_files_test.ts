/** The files of a release, made of a small program in place of dvisor. */

import { assert, assertEquals } from "@std/assert";
import { sumsOf } from "../../tools/release.ts";
import { PACKAGED, writeReleaseFiles } from "../../tools/package/release_files.ts";
import { run } from "../harness/dvisor.ts";
import { isRoot, lacks, named } from "../harness/machine.ts";

const PROGRAM = "#!/bin/sh\necho ran $0\n";
const SHARED = [
  "share/bash-completion/completions/dvisor",
  "share/man/man1/dvisor.1",
  "share/zsh/site-functions/_dvisor",
];

interface Release {
  readonly directory: string;
  /** Of its packages. */
  readonly names: readonly string[];
}

async function makeRelease(): Promise<Release> {
  const directory = await Deno.makeTempDir({ prefix: "dvisor-release-files-" });
  await Deno.writeTextFile(`${directory}/dvisor`, PROGRAM, { mode: 0o755 });
  for (const path of SHARED) {
    await Deno.mkdir(`${directory}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
    await Deno.writeTextFile(`${directory}/${path}`, `the text of ${path}\n`);
  }
  return { directory, names: await writeReleaseFiles(directory, SHARED) };
}

const release = await makeRelease();
Deno.test.afterAll(() => Deno.remove(release.directory, { recursive: true }));

/** The path of the file of the release whose name ends so. */
function fileOf(end: string): string {
  return `${release.directory}/${release.names.find((name) => name.endsWith(end))}`;
}

/** Calls `fn` with an empty directory. */
async function inDirectory(fn: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "dvisor-release-files-" });
  try {
    await fn(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function output(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(argv);
  assertEquals([code, stderr], [0, ""], argv.join(" "));
  return stdout;
}

Deno.test("release: the same files make the same packages, with their names", async () => {
  const { directory, names } = release, other = await makeRelease();
  try {
    assertEquals(names.filter((name) => !PACKAGED.test(name)), []);
    assertEquals(names.length, 5);
    assertEquals(await sumsOf(other.directory, names), await sumsOf(directory, names));
  } finally {
    await Deno.remove(other.directory, { recursive: true });
  }
});

Deno.test("release: the archive has a program that runs under both names", () =>
  inDirectory(async (directory) => {
    await output("tar", "-xzf", fileOf(".tar.gz"), "-C", directory);
    const [top = ""] = [...Deno.readDirSync(directory)].map(({ name }) => name);
    for (const name of ["dvisor", "dvisor-gofer"]) {
      const path = `${directory}/${top}/bin/${name}`;
      assertEquals(await output(path), `ran ${path}\n`);
    }
    assertEquals(
      await Deno.readTextFile(`${directory}/${top}/${SHARED[1]}`),
      `the text of ${SHARED[1]}\n`,
    );
  }));

Deno.test({
  ...named("release: dpkg-deb reads the package for Debian", lacks(["dpkg-deb", "md5sum"])),
  fn: () =>
    inDirectory(async (directory) => {
      const archive = fileOf(".deb");
      const field = (name: string) => output("dpkg-deb", "--field", archive, name);
      assertEquals(await field("Package"), "dvisor\n");
      assertEquals(await field("Architecture"), "amd64\n");
      assert(Number(await field("Installed-Size")) > 0);
      const contents = await output("dpkg-deb", "--contents", archive);
      const lines = contents.trimEnd().split("\n");
      assertEquals(lines.filter((line) => !line.includes(" root/root ")), []);
      const paths = lines.map((line) => line.replace(/^.* \.\//, ""));
      for (
        const path of [
          "usr/bin/dvisor",
          "usr/share/bash-completion/completions/dvisor",
          "usr/share/doc/dvisor/changelog.gz",
          "usr/share/doc/dvisor/copyright",
          "usr/share/man/man1/dvisor.1.gz",
          "usr/share/zsh/vendor-completions/_dvisor",
        ]
      ) assert(paths.includes(path), contents);

      await output("dpkg-deb", "--raw-extract", archive, `${directory}/root`);
      const { code, stderr } = await run(["md5sum", "--check", "--quiet", "DEBIAN/md5sums"], {
        cwd: `${directory}/root`,
      });
      assertEquals([code, stderr], [0, ""]);
      const program = `${directory}/root/usr/bin/dvisor-gofer`;
      assertEquals(await output(program), `ran ${program}\n`);
    }),
});

Deno.test({
  ...named(
    "release: dpkg installs and removes the package",
    isRoot ? lacks(["dpkg"]) : "needs root",
  ),
  fn: () =>
    inDirectory(async (directory) => {
      const archive = fileOf(".deb");
      const root = `${directory}/root`;
      await Deno.mkdir(`${root}/var/lib/dpkg/updates`, { recursive: true });
      await Deno.mkdir(`${root}/var/lib/dpkg/info`);
      await Deno.writeTextFile(`${root}/var/lib/dpkg/status`, "");
      const dpkg = [
        "dpkg",
        "--root",
        root,
        "--force-not-root",
        "--force-depends",
        "--log=/dev/null",
      ];
      const installed = await run([...dpkg, "--install", archive]);
      assertEquals(installed.code, 0, installed.stderr);
      assertEquals(await Deno.readTextFile(`${root}/usr/bin/dvisor`), PROGRAM);
      assertEquals((await run([...dpkg, "--purge", "dvisor"])).code, 0);
      assertEquals(await Deno.stat(`${root}/usr/bin/dvisor`).catch(() => null), null);
    }),
});

Deno.test("release: the list of parts names the runtime and the packages", async () => {
  const list = JSON.parse(await Deno.readTextFile(fileOf(".cdx.json")));
  assertEquals([list.bomFormat, list.specVersion], ["CycloneDX", "1.6"]);
  const [hash] = list.metadata.component.hashes;
  const sums = await sumsOf(release.directory, ["dvisor"]);
  assertEquals(sums, `${hash.content}  dvisor\n`);
  const found: { name: string; version: string }[] = list.components;
  const versions = new Map(found.map(({ name, version }) => [name, version]));
  assertEquals(versions.get("deno"), Deno.version.deno);
  assertEquals([...versions.keys()].sort(), [
    "@std/cli",
    "@std/encoding",
    "@std/path",
    "deno",
    "v8",
  ]);
  assertEquals(found.filter(({ version }) => !/^\d+\.\d+/.test(version)), []);
});
