import { assertEquals } from "@std/assert";
import { JsonNode } from "../json_node.ts";
import { type LinuxConfig, readLinux } from "../spec/linux_section.ts";
import { callerNamespaces } from "./caller_namespaces.ts";

function linux(...namespaces: { type: string; path?: string }[]): LinuxConfig {
  const mappings = namespaces.some(({ type }) => type === "user")
    ? { uidMappings: [{ containerID: 0, hostID: 7, size: 2 }] }
    : {};
  return readLinux(new JsonNode("config.json", "linux", { namespaces, ...mappings })).linux;
}

const OWN = [{ type: "pid" }, { type: "network" }] as const;

Deno.test("a caller with privilege has the namespaces of config.json", () => {
  const config = linux(...OWN), made = callerNamespaces(config, () => "full");
  assertEquals(made, { linux: config, ofProxy: config.namespaces });
});

Deno.test("an ordinary caller gets a user namespace in which it is user 0", () => {
  const config = linux(...OWN), { linux: made, ofProxy } = callerNamespaces(config, () => "users");
  assertEquals(ofProxy.map(({ type }) => type), ["pid", "network", "user"]);
  assertEquals(made.namespaces, ofProxy);
  assertEquals(made.uidMappings, [{ containerId: 0, hostId: Deno.uid() ?? -1, size: 1 }]);
  assertEquals(made.gidMappings, [{ containerId: 0, hostId: Deno.gid() ?? -1, size: 1 }]);
});

Deno.test("a user namespace of config.json stays as it is", () => {
  const config = linux(...OWN, { type: "user" }), made = callerNamespaces(config, () => "users");
  assertEquals(made, { linux: config, ofProxy: config.namespaces });
});

Deno.test("a caller that can make no namespace enters those that are named", () => {
  const config = linux(...OWN, { type: "user" }, { type: "ipc", path: "/proc/1/ns/ipc" });
  const { linux: made, ofProxy } = callerNamespaces(config, () => "none");
  assertEquals(made, config);
  assertEquals(ofProxy, [{ type: "ipc", path: "/proc/1/ns/ipc" }]);
});

Deno.test("a container without namespaces asks nothing of the host", () => {
  const config = linux();
  const made = callerNamespaces(config, () => {
    throw new Error("asked");
  });
  assertEquals(made, { linux: config, ofProxy: [] });
});
