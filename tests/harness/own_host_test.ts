import { assertEquals, assertMatch } from "@std/assert";
import { describe, ROOT, run } from "./dvisor.ts";
import { runClean } from "./leftovers.ts";
import { isRoot, named, PYTHON } from "./machine.ts";
import { asUser, inOwnHost, noOwnHost } from "./own_host.ts";

const NOBODY = 65534;
const lacking = noOwnHost();

Deno.test({
  ...named("what is kept in a place stays, and is writable; all else is gone", lacking),
  fn: async () => {
    const kept = await Deno.makeTempDir({ prefix: "dvisor-own-host-" });
    const other = await Deno.makeTempDir({ prefix: "dvisor-own-host-" });
    try {
      await Deno.writeTextFile(`${kept}/file`, "text");
      const script = "cat $0/file; echo more >$0/new; test -e $1 || echo gone; ls -A /dev/shm";
      const result = await run(inOwnHost(["sh", "-c", script, kept, other], { keeps: [kept] }));
      assertEquals([result.code, result.stdout], [0, "textgone\n"], describe(result));
      assertEquals(await Deno.readTextFile(`${kept}/new`), "more\n");
    } finally {
      for (const dir of [kept, other]) await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test({
  ...named("it has the caller's user, no capability more, and its own processes", lacking),
  fn: async () => {
    const argv = inOwnHost(["sh", "-c", "id -u; echo $$; grep CapEff /proc/self/status"], {
      processes: true,
      network: true,
    });
    const result = await run(argv);
    const own = /^CapEff.*$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[0];
    assertEquals(result.stdout, `${Deno.uid()}\n1\n${own}\n`, describe(result));
  },
});

Deno.test({
  ...named(
    "runClean does not see files of other programs",
    lacking ?? (PYTHON === null ? "no python3 on this machine" : null),
  ),
  fn: async () => {
    let isOver = false;
    const clean = runClean(["sleep", "0.1"]).finally(() => isOver = true);
    const made: string[] = [];
    while (!isOver) {
      made.push(await Deno.makeTempFile({ prefix: "dvisor-own-host-" }));
      await new Promise((done) => setTimeout(done, 1));
    }
    for (const path of made) Deno.removeSync(path);
    await clean;
  },
});

Deno.test({
  ...named("another user reads the sources and runs Deno", isRoot ? lacking : "needs root"),
  fn: async () => {
    const sources = await run(asUser(NOBODY, ["cat", `${ROOT}/deno.json`]));
    assertEquals(sources.stdout, Deno.readTextFileSync(`${ROOT}/deno.json`), describe(sources));
    const version = await run(asUser(NOBODY, [Deno.execPath(), "--version"]));
    assertMatch(version.stdout, /^deno /, describe(version));
    assertEquals((await run(asUser(NOBODY, ["id", "-u"]))).stdout, `${NOBODY}\n`);
  },
});
