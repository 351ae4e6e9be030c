import { assertEquals, assertThrows } from "@std/assert";
import { close } from "../../ffi/sys/files.ts";
import { UserError } from "../user_error.ts";
import { openPorts, parsePublish } from "./published_ports.ts";

Deno.test("--publish has a guest's port, and in front of it a host's port and an address", () => {
  const cases: [string, string, number, number][] = [
    ["80", "127.0.0.1", 80, 80],
    ["8080:80", "127.0.0.1", 8080, 80],
    ["0:65535", "127.0.0.1", 0, 65535],
    ["0.0.0.0:8080:80", "0.0.0.0", 8080, 80],
  ];
  for (const [text, address, hostPort, guestPort] of cases) {
    assertEquals(parsePublish(text), { address, hostPort, guestPort }, text);
  }
  const wrong = ["", ":", "x", "0", "80:0", "65536", "-1", "1:2:3", "1.2.3:1:2", "1.2.3.256:1:2"];
  for (const text of [...wrong, "1.2.3.4:1:2:3", "80/tcp", "1e3"]) {
    assertThrows(() => parsePublish(text), UserError, "expected [[ADDRESS:]HOST_PORT:]PORT", text);
  }
});

Deno.test("a port that is in use is an error, and leaves no other port open", () => {
  const [first] = openPorts([{ address: "127.0.0.1", hostPort: 0, guestPort: 1 }]);
  assertEquals([first!.hostPort > 0, first!.guestPort], [true, 1]);
  const taken = { address: "127.0.0.1", hostPort: first!.hostPort, guestPort: 2 };
  const before = openFiles();
  assertThrows(
    () => openPorts([{ ...taken, hostPort: 0 }, taken]),
    UserError,
    `port ${taken.hostPort} of 127.0.0.1 is in use`,
  );
  assertEquals(openFiles(), before);
  assertThrows(
    () => openPorts([{ ...taken, address: "192.0.2.1" }]),
    UserError,
    "the address is not of this machine",
  );
  close(first!.fd);
});

function openFiles(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}
