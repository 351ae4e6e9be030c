import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { command as install } from "../cli/verbs/install.ts";
import { command as uninstall } from "../cli/verbs/uninstall.ts";
import { noGlobals } from "../options/globals.ts";
import { UserError } from "../user_error.ts";
import { checkRuntimeName, clientOf } from "./clients.ts";
import { unifiedDiff } from "./config_file.ts";
import { removeMember, setMember } from "./json_edit.ts";
import { parseKey, removeTable, scanToml } from "./toml_tables.ts";

const docker = clientOf("docker"), containerd = clientOf("containerd");
const ENTRY = { name: "dvisor", path: "/usr/bin/dvisor", args: [] };

Deno.test("docker: an empty file, and none, get the runtime", () => {
  for (const text of ["", "\n", "{}", "{ }\n"]) {
    const config = JSON.parse(docker.install(text, ENTRY));
    assertEquals(config, { runtimes: { dvisor: { path: "/usr/bin/dvisor" } } });
  }
});

Deno.test("docker: everything else stays, to the letter", () => {
  const text = `{
    "log-opts": {"max-size":   "10m", "x": [1, {"a": "}"}]},
    "runtimes": {
        "runsc": { "path": "/bin/runsc" }
    },
    "max": 1.0
}
`;
  const more = { ...ENTRY, args: ["--network=host"] };
  const once = docker.install(text, more);
  assertEquals(docker.install(once, more), once);
  assertEquals(JSON.parse(once).runtimes.dvisor, {
    path: "/usr/bin/dvisor",
    runtimeArgs: ["--network=host"],
  });
  assertStringIncludes(once, `"log-opts": {"max-size":   "10m", "x": [1, {"a": "}"}]},`);
  assertStringIncludes(once, `"max": 1.0`);
  assertEquals(docker.uninstall(once, "dvisor"), text);
  assertEquals(docker.uninstall(text, "dvisor"), text);
  const moved = docker.install(once, ENTRY);
  assertEquals(JSON.parse(moved).runtimes.dvisor, { path: "/usr/bin/dvisor" });
});

Deno.test("docker: uninstall removes objects that it empties", () => {
  const text = '{\n  "debug": true\n}\n';
  assertEquals(docker.uninstall(docker.install(text, ENTRY), "dvisor"), text);
});

Deno.test("docker: files of an unexpected form are left alone", () => {
  for (const bad of ["[]", "{", '{"runtimes": []}', "// x\n{}", "null"]) {
    assertThrows(() => docker.install(bad, ENTRY), UserError);
  }
  const text = '{"default-runtime": "dvisor", "runtimes": {"dvisor": {"path": "/x"}}}';
  assertThrows(() => docker.uninstall(text, "dvisor"), UserError, "default-runtime");
});

Deno.test("JSON with names and values of every kind", () => {
  const text = '{"a\\"b":"\\\\","n":-1.5e3,"t":true,"z":null,"o":{"i":{"j":[[],{}]}},"":0}';
  const more = setMember(text, ["o", "i", "k"], 5);
  assertEquals(JSON.parse(more).o.i, { j: [[], {}], k: 5 });
  for (const name of ['a"b', "n", "t", "z", "o", ""]) {
    const rest = JSON.parse(removeMember(text, [name]));
    assertEquals(Object.hasOwn(rest, name), false);
    assertEquals(Object.keys(rest).length, 5);
  }
});

const TOML = `# mine
version = 2 # two

imports = [
  "[not.a.table]",
]
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    text = """
[nor.this]
"""
    # about runtimes
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

# about debugging
[debug]
  level = "info"
`;

Deno.test("containerd: other tables and comments stay", () => {
  const once = containerd.install(TOML, ENTRY);
  assertStringIncludes(once, TOML);
  assertStringIncludes(
    once,
    'containerd.runtimes.dvisor.options]\n    BinaryName = "/usr/bin/dvisor"',
  );
  assertEquals(containerd.install(once, ENTRY), once);
  assertEquals(containerd.uninstall(once, "dvisor"), TOML);
  assertEquals(containerd.uninstall(TOML, "dvisor"), TOML);
  const moved = containerd.install(once, { ...ENTRY, path: "/opt/dvisor" });
  assertEquals(moved, once.replace("/usr/bin/dvisor", "/opt/dvisor"));
});

Deno.test("containerd: removal of a table in the middle keeps comments of the next one", () => {
  const name = "io.containerd.grpc.v1.cri";
  const middle = removeTable(TOML, ["plugins", name, "containerd", "runtimes", "runc"]);
  assertStringIncludes(middle, "# about runtimes\n");
  assertStringIncludes(middle, "\n# about debugging\n[debug]");
  assertEquals(middle.includes("runtime_type"), false);
});

Deno.test("containerd: versions", () => {
  assertStringIncludes(containerd.install("", ENTRY), "version = 2\n\n[plugins.");
  assertStringIncludes(
    containerd.install("version = 3\n", ENTRY),
    '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.dvisor]',
  );
  assertThrows(() => containerd.install("[debug]\n", ENTRY), UserError, "version 1");
  assertThrows(() => containerd.install("", { ...ENTRY, args: ["-x"] }), UserError, "annotations");
});

Deno.test("headers of tables as TOML has them", () => {
  const text =
    `[ a . "b.c" . 'd' ] # x\n[[e]]\nx = [\n[1],\n]\ny = '''\n[f]\n'''\nz = "[g" # [h]\n[i]`;
  assertEquals(scanToml(text).headers.map((h) => h.key.join("|")), ["a|b.c|d", "e", "i"]);
  assertEquals(parseKey("a..b]"), null);
  assertEquals(parseKey("a"), null);
});

Deno.test("a change as diff -u shows it", () => {
  assertEquals(unifiedDiff("f", "a\n", "a\n"), "");
  assertEquals(unifiedDiff("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
  assertEquals(
    unifiedDiff("f", "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\nx\n6\n7\n"),
    "--- f\n+++ f\n@@ -2,6 +2,6 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n",
  );
});

Deno.test("names of runtimes", () => {
  for (const bad of ["", "runc", "a b", "../x", "A", "-x", "a.b"]) {
    assertThrows(() => checkRuntimeName(bad), UserError);
  }
});

Deno.test("install replaces the file behind a symbolic link, with its mode", async () => {
  const dir = Deno.makeTempDirSync();
  const log = console.log, said: unknown[] = [];
  console.log = (text) => said.push(text);
  try {
    const real = `${dir}/real.json`, link = `${dir}/daemon.json`;
    Deno.writeTextFileSync(real, '{"debug": true}');
    Deno.chmodSync(real, 0o640);
    Deno.symlinkSync("real.json", link);
    const run = (more: string[] = []) =>
      install.run(["--config", link, "--path", "/bin/sh", ...more], noGlobals());
    assertEquals(await run(["docker", "--", "--network=host"]), 0);
    assertEquals(Deno.lstatSync(link).isSymlink, true);
    assertEquals((Deno.statSync(real).mode ?? 0) & 0o777, 0o640);
    const config = JSON.parse(Deno.readTextFileSync(real));
    assertEquals(config.runtimes.dvisor.runtimeArgs, ["--network=host"]);
    assertEquals(config.debug, true);
    // Options may stand behind the word, as docs/kubernetes.md has them.
    const behind = ["docker", "--config", link, "--name", "other"];
    assertEquals(await uninstall.run(behind, noGlobals()), 0);
    assertEquals(JSON.parse(Deno.readTextFileSync(real)), config);
    assertEquals(await uninstall.run(["--config", link], noGlobals()), 0);
    assertEquals(Deno.readTextFileSync(real), '{"debug": true}');
    assertEquals([...Deno.readDirSync(dir)].length, 2);
    assertThrows(() => install.run(["podman"], noGlobals()), UserError, "docker and containerd");
    assertThrows(
      () => install.run(["--config", link, "--path", "/nonexistent"], noGlobals()),
      UserError,
      "no program",
    );
  } finally {
    console.log = log;
    Deno.removeSync(dir, { recursive: true });
  }
});
