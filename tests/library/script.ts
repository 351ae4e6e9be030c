/**
 * A script that uses the library, for cases in which it ends in some way; not a test.
 *
 *     script.ts LIBRARY OPTIONS HOW
 *
 * It makes a sandbox with OPTIONS, JSON, starts a program in it, prints the sandbox's id and pid as
 * JSON, and goes on as HOW says. With `attach` its terminal is that of a shell.
 */

import process from "node:process";
import type * as Module from "../../mod.ts";

type Library = typeof Module;

async function main(): Promise<void> {
  const [, , specifier = "", options = "{}", how = ""] = process.argv;
  const { Sandbox }: Library = await import(specifier);
  if (how === "list") {
    console.log(JSON.stringify(await Sandbox.list(JSON.parse(options))));
    return;
  }
  if (how.startsWith("exec ")) {
    const box = await Sandbox.connect(how.slice("exec ".length));
    console.log(JSON.stringify((await box.exec(["echo", "from another process"])).text));
    await box.close();
    return;
  }
  const box = await Sandbox.create(JSON.parse(options));
  if (how === "attach") {
    const shell = "echo ready; read -r x; stty size; echo got $x; read -r y; exit 3";
    const program = await box.spawn(["sh", "-c", shell], { pty: { cols: 90, rows: 20 } });
    const { code, signal } = await program.attach();
    console.log(JSON.stringify({ code, signal }));
    return;
  }
  const program = await box.spawn(["sleep", "1020"]);
  console.log(JSON.stringify({ id: box.id, pid: box.info.pid }));
  if (how === "wait") await program.status;
  if (how === "exit") process.exit(0);
  if (how === "throw") throw new Error("thrown on purpose");
  if (how === "end") {
    await box.ports.expose(8080);
    program.kill();
    await program.status;
    console.log("the last line");
  }
  if (how === "dispose") await box[Symbol.asyncDispose]();
}

await main();
