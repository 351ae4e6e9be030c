import { assert, assertEquals, assertThrows } from "@std/assert";
import { JsonNode } from "../../../json_node.ts";
import { readResources } from "../../../spec/resources_section.ts";
import { UserError } from "../../../user_error.ts";
import { limitsOf } from "../limits.ts";
import { decodeMessage, encodeCall, messageBytes } from "./dbus_message.ts";
import { DbusFormatError, DbusReader, DbusWriter } from "./dbus_values.ts";
import { SystemdManager } from "./manager.ts";
import { parseVariant, scopeProperties, unitProperties } from "./properties.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}

const HELLO = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "Hello",
  signature: "",
  body: new DbusWriter(),
};

Deno.test("the bytes of a call are those of libdbus", () => {
  const expected = "6c01000100000000010000006d000000" +
    "01016f00150000002f6f72672f667265656465736b746f702f44427573000000" +
    "02017300140000006f72672e667265656465736b746f702e4442757300000000" +
    "030173000500000048656c6c6f000000" +
    "06017300140000006f72672e667265656465736b746f702e4442757300000000";
  assertEquals(hex(encodeCall(HELLO, 1)), expected);
});

Deno.test("properties of a unit survive the way there and back", () => {
  const limits = limitsOf(readResources(
    new JsonNode("config.json", "linux.resources", {
      memory: { limit: 1 << 26, swap: 1 << 27 },
      cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: "0,9", mems: "0" },
      pids: { limit: -1 },
    }),
  ));
  const properties = [
    ...scopeProperties("c1", "machine.slice", 42),
    ...unitProperties(limits, "v2", new Map([["org.systemd.property.TimeoutStopSec", "5"]])),
  ];
  const body = new DbusWriter().string("dvisor-c1.scope").string("replace").properties(properties)
    .array(8, () => {});
  const signature = "ssa(sv)a(sa(sv))";
  const call = { ...HELLO, member: "StartTransientUnit", signature, body };
  const bytes = encodeCall(call, 7);
  assertEquals(messageBytes(bytes), bytes.length);
  const message = decodeMessage(bytes);
  assertEquals(message.serial, 7);
  assertEquals(message.member, "StartTransientUnit");
  const [unit, mode, sent, aux] = message.body;
  assertEquals([unit, mode, aux], ["dvisor-c1.scope", "replace", []]);
  assert(Array.isArray(sent));
  const byName = new Map(sent.map((pair) => [String(Array.isArray(pair) ? pair[0] : ""), pair]));
  const value = (name: string) => {
    const pair = byName.get(name);
    return Array.isArray(pair) ? pair[1] : undefined;
  };
  assertEquals(value("PIDs"), [42]);
  assertEquals(value("Slice"), "machine.slice");
  assertEquals(value("Delegate"), true);
  assertEquals(value("MemoryMax"), 1 << 26);
  assertEquals(value("MemorySwapMax"), 1 << 26);
  assertEquals(value("CPUWeight"), 100);
  assertEquals(value("CPUQuotaPerSecUSec"), 500_000);
  assertEquals(value("AllowedCPUs"), [1, 2]);
  assertEquals(value("TasksMax"), 2 ** 64);
  assertEquals(value("TimeoutStopUSec"), 5_000_000);
});

Deno.test("messages that end early, reach too far or nest too deep are refused", () => {
  const bytes = encodeCall({ ...HELLO, signature: "s", body: new DbusWriter().string("x") }, 1);
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => decodeMessage(bytes.slice(0, length)));
  }
  for (let at = 0; at < bytes.length; at++) {
    const broken = bytes.slice();
    broken[at] = 0xff;
    try {
      decodeMessage(broken);
    } catch (error) {
      assert(error instanceof DbusFormatError, String(error));
    }
  }
  const nested = new Uint8Array(400);
  for (let i = 0; i + 3 < nested.length; i += 3) nested.set([1, 0x76, 0], i);
  assertThrows(() => new DbusReader(nested).read("v"), DbusFormatError);
  for (const bad of ["(", "a", "(s", "e", "{s"]) {
    assertThrows(() => new DbusReader(new Uint8Array(64)).readAll(bad), DbusFormatError);
  }
});

Deno.test("values of annotations as runc and busctl write them", () => {
  assertEquals(parseVariant("true"), { type: "b", value: true });
  assertEquals(parseVariant("'a\\'b'"), { type: "s", value: "a'b" });
  assertEquals(parseVariant("uint64 5"), { type: "t", value: 5 });
  assertEquals(parseVariant("-5"), { type: "i", value: -5 });
  assertEquals(parseVariant("['a', 'b']"), { type: "as", value: ["a", "b"] });
  for (const bad of ["", "x", "uint64 -1", "[1, 'a']", "'a", "uint32 4294967296"]) {
    assertEquals(parseVariant(bad), null, bad);
  }
  const none = limitsOf(readResources(new JsonNode("config.json", "", {})));
  const annotations = new Map([["org.systemd.property.x y", "1"]]);
  assertThrows(
    () => unitProperties(none, "v2", annotations),
    UserError,
    "org.systemd.property.x y",
  );
});

Deno.test("without systemd the error names the option that requires it", () => {
  const nowhere = new SystemdManager([{ path: "/nonexistent/private", isBus: false }]);
  assertThrows(() => nowhere.controlGroup(), UserError, "--systemd-cgroup needs systemd");
});
