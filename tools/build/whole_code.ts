/**
 * Compiled code of every function of a part, made without running any: the same bytes on each
 * machine. A rehearsal (rehearsal.ts) keeps only the functions that it met, which depends on the
 * machine's timing: smaller, and starts sooner, but no two builds have the same.
 */

import { type BaseChoice, compileProgram, withFlags } from "./compile.ts";

/** V8 compiles all functions at once. */
const EAGER = "--no-lazy";

/**
 * Where V8's cached data has the hash of the flags that it was made with, 4 bytes. What EAGER
 * changes is when code is made, not what code: with the hash of a runtime without it, V8 takes the
 * data there. `check` of the program below says whether it does.
 */
const FLAG_HASH_AT = 12, FLAG_HASH_BYTES = 4;

/** `make TEXT CODE` compiles a script; `check TEXT CODE` fails if the code is not taken for it. */
const COMPILER = `(async () => {
  const vm = await import("node:vm");
  const [verb, textPath, codePath] = Deno.args, text = Deno.readTextFileSync(textPath);
  if (verb === "make") Deno.writeFileSync(codePath, new vm.Script(text).createCachedData());
  else {
    const cachedData = Deno.readFileSync(codePath);
    if (new vm.Script(text, { cachedData }).cachedDataRejected !== false) Deno.exit(1);
  }
})();
`;

/** @throws Error if V8 does not take the code */
export async function wholeCode(
  text: string,
  base: BaseChoice,
  workDir: string,
): Promise<Uint8Array> {
  const folder = `${workDir}/whole`, textPath = `${folder}/part.js`;
  const plain = `${folder}/plain`, eager = `${folder}/eager`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(textPath, text);
  await compileProgram(COMPILER, plain, "plain", base, folder);
  await compileProgram(COMPILER, eager, "eager", await withFlags(base, [EAGER], folder), folder);
  const codes = [];
  for (const program of [plain, eager]) {
    await run(program, ["make", textPath, `${program}.code`]);
    codes.push(await Deno.readFile(`${program}.code`));
  }
  const [lazyCode, code] = codes;
  if (lazyCode === undefined || code === undefined) throw new Error("no compiled code");
  code.set(lazyCode.subarray(FLAG_HASH_AT, FLAG_HASH_AT + FLAG_HASH_BYTES), FLAG_HASH_AT);
  await Deno.writeFile(`${eager}.code`, code);
  await run(plain, ["check", textPath, `${eager}.code`]);
  return code;
}

async function run(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (success) return;
  const text = new TextDecoder().decode(stderr).trim();
  throw new Error(`V8's compiled code cannot be made (${args[0]}): ${text || "it is refused"}`);
}
