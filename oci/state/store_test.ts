import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { endProcess, isAlive, parseStat, processId, statusOf } from "./liveness.ts";
import { NO_PROCESS, parseRecord } from "./record.ts";
import { recordOf } from "./record_testing.ts";
import { StateStore } from "./store.ts";

function withStore(fn: (store: StateStore) => void): void {
  const root = Deno.makeTempDirSync({ prefix: "dvisor-store-" });
  try {
    fn(new StateStore(`${root}/not/yet`));
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("a container is made once, found, changed and removed", () => {
  withStore((store) => {
    assertEquals(store.list(), []);
    const { dir, lock } = store.create("c1");
    assertThrows(() => store.create("c1"), UserError, "already exists");
    assertThrows(() => store.load("c1"), UserError, "does not exist");
    dir.write(recordOf("c1"));
    lock.release();
    assertThrows(() => store.create("c1"), UserError, "already exists");
    assertEquals(store.load("c1").record.bundle, "/b");
    assertEquals(dir.update({ status: "running" }).status, "running");
    assertEquals(store.list().map((r) => r.status), ["running"]);
    assertEquals(Deno.statSync(dir.path).mode! & 0o777, 0o700);
    dir.remove();
    dir.remove();
    assertEquals([dir.exists, store.ids()], [false, []]);
  });
});

Deno.test("ids are names, not paths", () => {
  withStore((store) => {
    for (const id of ["", ".", "..", "a/b", "a b", "a\0", "é", "x".repeat(1025)]) {
      assertThrows(() => store.dir(id), UserError, "may have only letters");
    }
    store.dir("A-z_0.9+");
  });
});

Deno.test("one command gets the lock, and none if the container is deleted meanwhile", () => {
  withStore((store) => {
    const { dir, lock } = store.create("c");
    assertEquals(dir.tryLock(), "busy");
    lock.release();
    const again = dir.tryLock();
    assert(again !== null && again !== "busy");
    dir.remove();
    again.release();
    assertEquals(dir.lock(), null);
  });
});

Deno.test("a directory that a killed command left without a record is reused", () => {
  withStore((store) => {
    const first = store.create("c");
    Deno.writeTextFileSync(`${first.dir.path}/state.json.new`, "{");
    first.lock.release();
    const second = store.create("c");
    assertEquals([...Deno.readDirSync(second.dir.path)].map((e) => e.name), ["lock"]);
    second.dir.write(recordOf("c"));
    second.lock.release();
    // A late removal must not remove files of the new container.
    Deno.writeTextFileSync(`${second.dir.path}/state.json.new`, "{");
    second.dir.remove();
    assertEquals(store.ids(), []);
  });
});

Deno.test("a container that cannot be read is an error, not a missing container", () => {
  withStore((store) => {
    store.create("c").lock.release();
    const dir = store.dir("x".repeat(300));
    assertThrows(() => dir.exists, UserError, "cannot look for");
    assertThrows(() => dir.lock(), UserError, "ENAMETOOLONG");
    assertThrows(() => dir.read(), UserError, "cannot read");
  });
});

Deno.test("damaged and foreign records are errors, and keep no others from being listed", () => {
  withStore((store) => {
    store.create("good").dir.write(recordOf("good"));
    Deno.writeTextFileSync(`${store.create("bad").dir.path}/state.json`, "{");
    const old = `${store.create("old").dir.path}/state.json`;
    Deno.writeTextFileSync(old, `{"version":0,"id":"old"}`);
    assertEquals(store.list().map((r) => r.id), ["good"]);
    assertThrows(() => store.load("bad"), UserError, "damaged");
    assertThrows(() => store.load("old"), UserError, "not written by this version");
    const others = ["null", "[]", "7", `{"version":1}`, `{"version":1,"id":7,"init":{}}`];
    for (const text of others) {
      assertThrows(() => parseRecord("f", text), UserError);
    }
  });
});

Deno.test("a pid counts only together with its start time", () => {
  const me = processId(Deno.pid);
  assert(me.start > 0 && isAlive(me));
  assertEquals(isAlive({ ...me, start: me.start + 1 }), false);
  assertEquals(isAlive(NO_PROCESS), false);
  assertEquals(processId(2 ** 22 + 1), NO_PROCESS);
  const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const other = processId(child.pid);
  assert(endProcess({ ...other, start: other.start + 1 }, 0));
  assert(isAlive(other));
  assert(endProcess(other, 5000));
  assertEquals(isAlive(other), false);
  return child.status.then(() => {});
});

Deno.test("the shown status is the written one while its processes live", () => {
  const me = processId(Deno.pid);
  assertEquals(statusOf(recordOf("c", { init: me, status: "running" })), "running");
  assertEquals(statusOf(recordOf("c", { init: me, status: "stopped" })), "stopped");
  assertEquals(statusOf(recordOf("c", { status: "running" })), "stopped");
  assertEquals(statusOf(recordOf("c", { status: "creating", creator: me })), "creating");
  assertEquals(statusOf(recordOf("c", { status: "creating" })), "stopped");
});

Deno.test("a process's name in /proc/PID/stat may hold anything", () => {
  const rest = ["S", ...Array.from({ length: 18 }, (_, i) => String(i)), "4711", "0"].join(" ");
  assertEquals(parseStat(`7 (a) Z 1 (b)) ${rest}`), { state: "S", start: 4711 });
  assertEquals(parseStat(""), null);
  assertStringIncludes(Deno.readTextFileSync("/proc/self/stat"), String(Deno.pid));
});

Deno.test("a create removes leftovers of killed commands, and nothing else", () => {
  withStore((store) => {
    const killed = store.create("killed"),
      busy = store.create("busy"),
      whole = store.create("whole");
    Deno.writeTextFileSync(`${killed.dir.path}/state.json.new`, "{");
    Deno.writeTextFileSync(`${killed.dir.path}/sandbox.log`, "said");
    whole.dir.write(recordOf("whole"));
    for (const { lock } of [killed, whole]) lock.release();
    for (const name of ["empty", "foreign"]) Deno.mkdirSync(`${store.root}/${name}`);
    for (const name of ["lock", "data"]) {
      Deno.writeTextFileSync(`${store.root}/foreign/${name}`, "another program's");
    }
    store.create("new").lock.release();
    assertEquals(store.ids(), ["busy", "empty", "foreign", "new", "whole"]);
    assertEquals([...Deno.readDirSync(`${store.root}/foreign`)].length, 2);
    assertEquals([...Deno.readDirSync(`${store.root}/empty`)].length, 0);
    busy.lock.release();
  });
});

Deno.test("a hundred killed commands leave no more than one", () => {
  withStore((store) => {
    for (let i = 0; i < 100; i++) store.create(`c${i}`).lock.release();
    assertEquals(store.ids(), ["c99"]);
  });
});

Deno.test("a command that is killed while it writes a record leaves no more than one file", () => {
  withStore((store) => {
    const { dir, lock } = store.create("c");
    Deno.writeTextFileSync(`${dir.path}/state.json.new`, "{".repeat(10_000));
    dir.write(recordOf("c"));
    assertEquals(store.load("c").record.status, "created");
    const names = [...Deno.readDirSync(dir.path)].map((entry) => entry.name).sort();
    assertEquals(names, ["lock", "state.json"]);
    lock.release();
  });
});
