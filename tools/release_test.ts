import { assertEquals, assertRejects } from "@std/assert";
import { lacks, named } from "../tests/harness/machine.ts";
import { sign, SIGNATURE, SUMS, sumsOf, verify } from "./release.ts";

const IDENTITY = "releases@example.org";

/** A directory with a "release" in it, and two keys. */
async function inRelease(body: (dir: string, signers: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-release-test-" });
  try {
    for (const key of ["key", "other"]) {
      const args = ["-q", "-t", "ed25519", "-N", "", "-f", `${dir}/${key}`];
      await new Deno.Command("ssh-keygen", { args, stdin: "null" }).output();
    }
    await Deno.writeTextFile(`${dir}/dvisor`, "a binary");
    await Deno.writeTextFile(`${dir}/${SUMS}`, await sumsOf(dir, ["dvisor"]));
    const signers = `${dir}/signers`;
    await Deno.writeTextFile(signers, `${IDENTITY} ${await Deno.readTextFile(`${dir}/key.pub`)}`);
    await body(dir, signers);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const noTool = lacks(["ssh-keygen"]);

Deno.test({
  ...named("a signed release is verified; a changed file, list or signer is not", noTool),
  fn: () =>
    inRelease(async (dir, signers) => {
      await sign(dir, `${dir}/key`);
      await verify(dir, signers, IDENTITY);
      await assertRejects(() => verify(dir, signers, "other@example.org"), Error, "ssh-keygen");

      await Deno.writeTextFile(`${dir}/dvisor`, "another binary");
      await assertRejects(
        () => verify(dir, signers, IDENTITY),
        Error,
        "is not the one in SHA256SUMS",
      );
      await Deno.writeTextFile(`${dir}/${SUMS}`, await sumsOf(dir, ["dvisor"]));
      await assertRejects(() => verify(dir, signers, IDENTITY), Error, "ssh-keygen");

      await sign(dir, `${dir}/other`);
      await assertRejects(() => verify(dir, signers, IDENTITY), Error, "ssh-keygen");
      await Deno.remove(`${dir}/${SIGNATURE}`);
      await assertRejects(() => verify(dir, signers, IDENTITY), Error, "ssh-keygen");
    }),
});

Deno.test({
  ...named("a signed list that names other files, or none, is no release", noTool),
  fn: () =>
    inRelease(async (dir, signers) => {
      await Deno.mkdir(`${dir}/share`);
      for (const names of [["dvisor", "key.pub"], ["dvisor", "share/../key.pub"], []]) {
        await Deno.writeTextFile(`${dir}/${SUMS}`, await sumsOf(dir, names));
        await sign(dir, `${dir}/key`);
        await assertRejects(() => verify(dir, signers, IDENTITY), Error, "SHA256SUMS");
      }
    }),
});

Deno.test({
  ...named("man pages and completion are verified too", noTool),
  fn: () =>
    inRelease(async (dir, signers) => {
      const page = "share/man/man1/dvisor-do.1";
      await Deno.mkdir(`${dir}/share/man/man1`, { recursive: true });
      await Deno.writeTextFile(`${dir}/${page}`, ".TH DO 1\n");
      await Deno.writeTextFile(`${dir}/${SUMS}`, await sumsOf(dir, ["dvisor", page]));
      await sign(dir, `${dir}/key`);
      await verify(dir, signers, IDENTITY);
      await Deno.writeTextFile(`${dir}/${page}`, ".so /etc/passwd\n");
      await assertRejects(() => verify(dir, signers, IDENTITY), Error, "is not the one");
    }),
});

Deno.test("SHA256SUMS has the format of sha256sum", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-release-test-" });
  try {
    await Deno.writeTextFile(`${dir}/f`, "text");
    const { stdout } = await new Deno.Command("sha256sum", { args: ["f"], cwd: dir }).output();
    assertEquals(await sumsOf(dir, ["f"]), new TextDecoder().decode(stdout));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
