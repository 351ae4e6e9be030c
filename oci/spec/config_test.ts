import { assertEquals, assertThrows } from "@std/assert";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";
import { readConfig } from "./config.ts";
import { DEFAULT_CONFIG } from "./default_config.ts";
import { JsonNode } from "./json_node.ts";

type Json = Record<string, unknown>;

function minimal(change: (config: Json) => void = () => {}): Json {
  const config: Json = {
    ociVersion: "1.0.2",
    root: { path: "rootfs" },
    process: { user: { uid: 0, gid: 0 }, args: ["/bin/true"], cwd: "/" },
  };
  change(config);
  return config;
}

function read(config: unknown) {
  return readConfig(JsonNode.parse("config.json", JSON.stringify(config)));
}

function messageOf(config: unknown): string {
  const error = assertThrows(() => read(config), UserError);
  assertEquals(error.exitCode, EXIT_USAGE);
  return error.message;
}

Deno.test("a small config.json is taken, and what it leaves out has its default", () => {
  const config = read(minimal());
  assertEquals(config.process.args, ["/bin/true"]);
  assertEquals(config.process.umask, 0o022);
  assertEquals(config.root, { path: "rootfs", isReadOnly: false });
  assertEquals([config.hostname, config.domainname, config.memoryLimit], ["dvisor", null, null]);
  assertEquals(config.process.capabilities?.effective, []);
});

Deno.test("what spec writes is taken", () => {
  const config = read(DEFAULT_CONFIG);
  assertEquals(config.root.isReadOnly, true);
  assertEquals(config.process.capabilities?.bounding, [29, 5, 10]);
  assertEquals(config.process.rlimits, [{ resource: RLIMIT_NOFILE, soft: 1024, hard: 1024 }]);
  const dev = config.mounts.find((mount) => mount.destination === "/dev");
  assertEquals(dev?.type, "devtmpfs");
});

Deno.test("wrong types and values are named with their path", () => {
  const cases: [Json | unknown, string][] = [
    [
      minimal((c) => c.process = { args: ["a", 7], cwd: "/" }),
      "process.args[1] is 7, expected a string",
    ],
    [
      minimal((c) => c.process = { args: [], cwd: "/" }),
      "process.args is empty, expected a command",
    ],
    [
      minimal((c) => c.process = { args: ["a"], cwd: "x" }),
      `process.cwd is "x", expected an absolute path`,
    ],
    [minimal((c) => c.process = { args: ["a"] }), "process.cwd is missing, expected a string"],
    [minimal((c) => c.process = 7), "process is 7, expected an object"],
    [minimal((c) => delete c.process), "process is missing, expected an object"],
    [minimal((c) => c.root = []), "root is [], expected an object"],
    [minimal((c) => c.root = { path: "" }), "root.path is empty"],
    [minimal((c) => c.ociVersion = "2.0"), "ociVersion is 2.0, expected 1.x"],
    [minimal((c) => c.mounts = {}), "mounts is {}, expected a list"],
    [minimal((c) => c.hostname = "h".repeat(65)), "hostname has more than 64 bytes"],
    [
      minimal((c) => c.mounts = [{ destination: "/x", type: "ext4" }]),
      `mounts[0].type is "ext4", expected tmpfs, proc, sysfs, devtmpfs, devpts, mqueue, overlay`,
    ],
    [
      minimal((c) =>
        c.mounts = [{ destination: "/x", type: "bind", source: "/", options: ["size=1"] }]
      ),
      `mounts[0].options[0] is "size=1", which a bind mount does not have`,
    ],
    [
      minimal((c) => c.linux = { seccomp: { defaultAction: "SCMP_ACT_ALLOW" } }),
      "linux.seccomp is not supported",
    ],
    [
      minimal((c) => c.linux = { namespaces: [{ type: "network", path: "/proc/1/ns/net" }] }),
      "linux.namespaces[0].path is not supported",
    ],
    [
      minimal((c) => c.linux = { namespaces: [{ type: "foo" }] }),
      `linux.namespaces[0].type is "foo", expected ` +
      "pid, network, ipc, uts, mount, user, cgroup, time",
    ],
    [minimal((c) => c.hooks = { prestart: [{ path: "/x" }] }), "hooks.prestart is not supported"],
    [[], "is [], expected an object"],
    [null, "is null, expected an object"],
  ];
  for (const [config, message] of cases) {
    const separator = message.startsWith("is ") ? " " : ": ";
    assertEquals(messageOf(config), `config.json${separator}${message}`);
  }
});

Deno.test("ids, capabilities and limits have their bounds", () => {
  const process = (more: Json) => minimal((c) => c.process = { args: ["a"], cwd: "/", ...more });
  for (const uid of [-1, 2 ** 32 - 1, 1.5, "0"]) {
    assertThrows(() => read(process({ user: { uid } })), UserError, "process.user.uid is");
  }
  assertThrows(
    () => read(process({ capabilities: { bounding: ["CAP_FOO"] } })),
    UserError,
    `process.capabilities.bounding[0] is "CAP_FOO", which is no capability`,
  );
  const limit = (type: string, soft: number, hard: number) =>
    process({ rlimits: [{ type, soft, hard }] });
  assertThrows(() => read(limit("RLIMIT_X", 1, 2)), UserError, "process.rlimits[0].type");
  assertThrows(() => read(limit("RLIMIT_NOFILE", 3, 2)), UserError, "is above the hard limit");
  assertEquals(read(limit("RLIMIT_NOFILE", 3, 2 ** 64)).process.rlimits[0]?.hard, null);
});

Deno.test("resources limit what the sandbox believes to have", () => {
  const config = read(minimal((c) => {
    c.linux = {
      resources: { memory: { limit: 1 << 26 }, cpu: { quota: 150_000, period: 100_000 } },
    };
  }));
  assertEquals([config.memoryLimit, config.cpuLimit], [1 << 26, 1.5]);
  const none = read(
    minimal((c) => c.linux = { resources: { memory: { limit: -1 }, cpu: { quota: -1 } } }),
  );
  assertEquals([none.memoryLimit, none.cpuLimit], [null, null]);
});

Deno.test("what is no JSON is said to be none", () => {
  for (const text of ["", "{", "{]", "nul"]) {
    assertThrows(() => JsonNode.parse("config.json", text), UserError, "is not valid JSON");
  }
});

Deno.test("a NUL cannot hide in a string", () => {
  assertThrows(
    () => read(minimal((c) => c.process = { args: ["a\0b"], cwd: "/" })),
    UserError,
    "expected a string without NUL",
  );
});
