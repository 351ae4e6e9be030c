/**
 * `deno task release`: builds what is published, writes SHA256SUMS and signs it; `--verify DIR`
 * checks a directory of such files. The build is reproducible, so `--unsigned` on another machine
 * makes the same SHA256SUMS. Neighbours: docs/releases.md; package/release_files.ts, the packages.
 *
 * Signatures are OpenSSH's (`ssh-keygen -Y`): most machines have it, keys may be in an agent or on
 * a token, and verifying takes no program of dvisor's.
 */

import { parseArgs } from "@std/cli";
import { encodeHex } from "@std/encoding";
import { requireHost, ROOT } from "./host_check.ts";
import { refuseOthers } from "./options.ts";
import { PACKAGED, writeReleaseFiles } from "./package/release_files.ts";

export const SUMS = "SHA256SUMS", SIGNATURE = `${SUMS}.sig`;
/** The signature's namespace: a signature that the same key made for another purpose is refused. */
const NAMESPACE = "dvisor-release";
const PROGRAM = "dvisor";
/** Man pages and completion, below the release's directory. */
const SHARED = /^share\/[\w-]+(?:[./][\w-]+)*$/;
const USAGE = "deno task release (--key FILE | --unsigned) [--out DIR]\n" +
  "       deno task release --verify DIR --signers FILE --identity NAME";

/** SHA256SUMS of files in a directory, as sha256sum(1) writes it. */
export async function sumsOf(dir: string, names: readonly string[]): Promise<string> {
  let out = "";
  for (const name of names) {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(`${dir}/${name}`));
    out += `${encodeHex(new Uint8Array(digest))}  ${name}\n`;
  }
  return out;
}

/**
 * `key`: a private key, or a public one whose private half an agent has. @throws Error if
 * ssh-keygen cannot sign
 */
export async function sign(dir: string, key: string): Promise<void> {
  await Deno.remove(`${dir}/${SIGNATURE}`).catch(() => {}); // ssh-keygen would ask
  const args = ["-Y", "sign", "-f", key, "-n", NAMESPACE, `${dir}/${SUMS}`];
  await sshKeygen(args, "inherit");
}

/**
 * Checks the signature of SHA256SUMS, then each file that it lists. `signers`: the form of
 * ssh-keygen(1), ALLOWED SIGNERS.
 *
 * @throws Error that says what is wrong
 */
export async function verify(dir: string, signers: string, identity: string): Promise<void> {
  const listed = await Deno.readFile(`${dir}/${SUMS}`);
  const args = ["-Y", "verify", "-f", signers, "-I", identity, "-n", NAMESPACE];
  await sshKeygen([...args, "-s", `${dir}/${SIGNATURE}`], listed);
  const text = new TextDecoder().decode(listed);
  const names = text.split("\n").filter((line) => line !== "").map((line) => line.slice(66));
  for (const name of names) {
    if (name !== PROGRAM && !SHARED.test(name) && !PACKAGED.test(name)) {
      throw new Error(`${SUMS} lists "${name}", which is no file of a release`);
    }
  }
  if (!names.includes(PROGRAM)) throw new Error(`${SUMS} does not list ${PROGRAM}`);
  if (await sumsOf(dir, names) !== text) {
    throw new Error(`a file in ${dir} is not the one in ${SUMS}`);
  }
}

async function sshKeygen(
  args: string[],
  stdin: "inherit" | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const child = new Deno.Command("ssh-keygen", {
    args,
    stdin: stdin === "inherit" ? "inherit" : "piped",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  if (stdin !== "inherit") {
    const writer = child.stdin.getWriter();
    // ssh-keygen may have ended without reading its input.
    await writer.write(stdin).then(() => writer.close()).catch(() => {});
  }
  const { success, stderr } = await child.output();
  if (!success) throw new Error(`ssh-keygen: ${new TextDecoder().decode(stderr).trim()}`);
}

async function build(dir: string): Promise<void> {
  const script = `${ROOT}/tools/build/main.ts`;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}/deno.json`, script, "--reproducible", "--out", dir],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("the build failed");
}

/** Lets the program write its man pages and completion. @returns their names in the directory */
async function writeShared(dir: string): Promise<string[]> {
  await Deno.remove(`${dir}/share`, { recursive: true }).catch(() => {}); // of an earlier release
  const args = ["man", "--write", `${dir}/share`];
  const { success } = await new Deno.Command(`${dir}/${PROGRAM}`, { args }).output();
  if (!success) throw new Error("the program does not write its man pages");
  return filesBelow(dir, "share").sort();
}

function filesBelow(dir: string, name: string): string[] {
  return [...Deno.readDirSync(`${dir}/${name}`)].flatMap((entry) => {
    const path = `${name}/${entry.name}`;
    return entry.isDirectory ? filesBelow(dir, path) : [path];
  });
}

async function main(): Promise<number> {
  const options = parseArgs(Deno.args, {
    boolean: ["unsigned"],
    string: ["key", "out", "verify", "signers", "identity"],
    unknown: refuseOthers(USAGE),
  });
  try {
    if (options.verify !== undefined) {
      const { signers, identity } = options;
      if (signers === undefined || identity === undefined) throw new Error(`usage: ${USAGE}`);
      await verify(options.verify, signers, identity);
      console.log(`${options.verify}: signed by ${identity}, and every file is the signed one`);
      return 0;
    }
    if ((options.key === undefined) !== options.unsigned) throw new Error(`usage: ${USAGE}`);
    requireHost();
    const dir = options.out ?? `${ROOT}/dist/release`;
    await Deno.mkdir(dir, { recursive: true });
    await build(dir);
    const shared = await writeShared(dir);
    const names = [PROGRAM, ...shared, ...await writeReleaseFiles(dir, shared)];
    await Deno.writeTextFile(`${dir}/${SUMS}`, await sumsOf(dir, names));
    if (options.key !== undefined) await sign(dir, options.key);
    console.log(await Deno.readTextFile(`${dir}/${SUMS}`) + `in ${dir}`);
    return 0;
  } catch (error) {
    console.error(`release: ${error instanceof Error ? error.message : error}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
