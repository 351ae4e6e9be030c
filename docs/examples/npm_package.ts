/**
 * Runs the tests of an npm package that you do not trust, offline. They have limits, and the folder
 * is mounted read-only; what they write elsewhere is listed, and lost with the sandbox.
 *
 *     deno task example npm_package [FOLDER]
 *
 * FOLDER has a package.json with a script `test`, and its node_modules if it needs some. The
 * default is a small package that is made for this run, and whose test tries more than it should.
 * The exit code is that of the test.
 */

import { NotFoundError, Sandbox } from "../../mod.ts";

const PLACE = "/package", TIME_MS = 60_000;
const LIMITS = { memoryBytes: 1 << 30, pids: 64, cpus: 2, diskBytes: 64 << 20 };

const SAMPLE = {
  "package.json": JSON.stringify({ name: "sample", scripts: { test: "node test.js" } }),
  "index.js": "exports.add = (a, b) => a + b;\n",
  "test.js": `
const { add } = require("./index.js");
const fs = require("node:fs"), net = require("node:net"), os = require("node:os");
console.log("add:", add(2, 3) === 5 ? "ok" : "wrong");
const attempt = (what, act) => {
  try { console.log(what + ":", act()); } catch (error) { console.log(what + ":", error.code); }
};
attempt("change its own code", () => fs.writeFileSync("index.js", "stolen"));
attempt("read the password file", () => fs.readFileSync("/etc/shadow", "utf8").length + " bytes");
attempt("list the home", () => fs.readdirSync(os.homedir()).length + " names");
attempt("read the environment", () => process.env.EXAMPLE_TOKEN ?? "no token");
attempt("leave a file", () => fs.writeFileSync("/var/tmp/left", "by the test") ?? "done");
net.connect(80, "192.0.2.1").on("error", () => console.log("call home: no network"));
`,
};

/** The command of the package's test. */
async function testCommand(folder: string): Promise<string> {
  const { scripts } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  if (typeof scripts?.test === "string") return scripts.test;
  throw new Error(`${folder}/package.json has no script named test`);
}

/** @returns the exit code of the test, or 1 if a limit ended it */
async function testPackage(folder: string): Promise<number> {
  const command = await testCommand(folder);
  await using box = await Sandbox.create({
    ...LIMITS,
    network: "none",
    mounts: [{ source: folder, destination: PLACE, readonly: true }],
  });
  await box.exec(["node", "--version"]); // a NotFoundError if there is no node
  // As npm has it: programs of the dependencies are found.
  const script = `PATH=${PLACE}/node_modules/.bin:$PATH; ${command}`;
  await using test = await box.spawn(["sh", "-c", script], { cwd: PLACE, timeoutMs: TIME_MS });
  await Promise.all([
    test.stdout.pipeTo(Deno.stdout.writable, { preventClose: true }),
    test.stderr.pipeTo(Deno.stderr.writable, { preventClose: true }),
  ]);
  const { code, reason } = await test.status;
  for (const { path, kind } of await box.diff()) {
    if (path !== PLACE) console.log(`${kind} in the sandbox: ${path}`); // the mount made PLACE
  }
  console.log(reason === "exit" ? `the test ended with code ${code}` : `ended by ${reason}`);
  return code ?? 1;
}

/** Tests the sample, in a folder that is gone afterwards. */
async function testSample(): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix: "dvisor-npm-" });
  try {
    for (const [name, text] of Object.entries(SAMPLE)) {
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    return await testPackage(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  try {
    Deno.exitCode = await (folder === undefined ? testSample() : testPackage(folder));
  } catch (error) {
    if (!(error instanceof NotFoundError || error instanceof Deno.errors.NotFound)) throw error;
    console.error(error.message);
    Deno.exitCode = 2;
  }
}
