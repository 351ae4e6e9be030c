import { assert, assertEquals } from "@std/assert";
import { isRoot } from "../../tests/harness/machine.ts";
import { PlatformMemory } from "./remembered_platform.ts";

const HOST = "0.1.0, 6.12.0, some boot, some processor";

function inDirectory(body: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-memory-" });
  try {
    body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function opened(dir: string, host = HOST): PlatformMemory {
  const memory = PlatformMemory.open(dir, host);
  assert(memory !== null);
  return memory;
}

Deno.test("the remembered platform is recalled on the same host only", () => {
  inDirectory((dir) => {
    const at = `${dir}/made/here`, memory = opened(at);
    assertEquals(memory.recall(), null);
    memory.remember("kvm");
    assertEquals(memory.recall(), "kvm");
    memory.remember("systrap");
    assertEquals(opened(at).recall(), "systrap");
    assertEquals(opened(at, `${HOST}, later`).recall(), null);
    assertEquals([...Deno.readDirSync(at)].map((entry) => entry.name), ["platform.json"]);
  });
});

Deno.test("a file that another user can write, or that is no regular file, is ignored", () => {
  inDirectory((dir) => {
    const memory = opened(dir), file = `${dir}/platform.json`;
    memory.remember("kvm");
    const text = Deno.readTextFileSync(file);
    Deno.chmodSync(file, 0o666);
    assertEquals(memory.recall(), null, "all can write it");
    Deno.chmodSync(file, 0o600);
    assertEquals(memory.recall(), "kvm");
    Deno.renameSync(file, `${dir}/elsewhere`);
    Deno.symlinkSync("elsewhere", file);
    assertEquals(memory.recall(), null, "a link");
    Deno.removeSync(file);
    Deno.mkdirSync(file);
    assertEquals(memory.recall(), null, "a directory");
    memory.remember("ptrace"); // fails, and says nothing
    Deno.removeSync(file);
    for (
      const bad of ["", "{", "null", "[]", text.replace("kvm", "vax"), " ".repeat(1024) + text]
    ) {
      Deno.writeTextFileSync(file, bad, { mode: 0o600 });
      assertEquals(memory.recall(), null, JSON.stringify(bad));
    }
    if (!isRoot) return;
    Deno.writeTextFileSync(file, text);
    Deno.chownSync(file, 65534, 65534);
    assertEquals(memory.recall(), null, "another's");
  });
});

Deno.test("a directory that another user can write, or that cannot exist, is not used", () => {
  inDirectory((dir) => {
    Deno.chmodSync(dir, 0o777);
    assertEquals(PlatformMemory.open(dir, HOST), null);
    Deno.chmodSync(dir, 0o700);
    Deno.symlinkSync("/tmp", `${dir}/link`);
    assertEquals(PlatformMemory.open(`${dir}/link`, HOST), null);
    Deno.writeTextFileSync(`${dir}/file`, "");
    assertEquals(PlatformMemory.open(`${dir}/file/below`, HOST), null);
    assertEquals(PlatformMemory.open("/proc/nothing", HOST), null);
    assertEquals(PlatformMemory.open(null, HOST), null);
  });
});
