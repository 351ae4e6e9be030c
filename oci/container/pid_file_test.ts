import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { reportPid } from "./pid_file.ts";

function inDirectory(body: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function tell(pidFile: string): void {
  reportPid({ pidFile, pidfdSocket: null }, { pid: 123, pidfd: -1 });
}

Deno.test("a pid file follows no link that another user has laid in its directory", () => {
  inDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/victim`, "kept");
    for (const name of ["pid", `pid.${Deno.pid}`]) Deno.symlinkSync("victim", `${dir}/${name}`);
    tell(`${dir}/pid`);
    assertEquals(Deno.readTextFileSync(`${dir}/pid`), "123");
    assertEquals(Deno.lstatSync(`${dir}/pid`).isFile, true);
    assertEquals(Deno.readTextFileSync(`${dir}/victim`), "kept");
    assertEquals([...Deno.readDirSync(dir)].length, 3);
  });
});

Deno.test("a pid file that cannot be written is an error that names it", () => {
  inDirectory((dir) => {
    assertThrows(() => tell(`${dir}/none/pid`), UserError, `--pid-file: ${dir}/none/pid cannot`);
    Deno.mkdirSync(`${dir}/pid`);
    assertThrows(() => tell(`${dir}/pid`), UserError, `--pid-file: ${dir}/pid cannot`);
    assertEquals([...Deno.readDirSync(dir)].length, 1);
  });
});
