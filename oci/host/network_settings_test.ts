import { assert, assertEquals, assertThrows } from "@std/assert";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { UserError } from "../user_error.ts";
import { isNetworkSetting, setHostSettings } from "./network_settings.ts";

Deno.test("only settings of the network are the host's", () => {
  const names = ["net.ipv4.ip_forward", "net/core/somaxconn", "kernel.shmmax", "network.x"];
  assertEquals(names.map(isNetworkSetting), [true, true, false, false]);
});

Deno.test("names that lead elsewhere and settings that do not exist are errors", () => {
  const fd = openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  try {
    for (const name of ["net.ipv4.no_such_setting", "net/../../etc/x y", "net.ipv4.a\0b"]) {
      assertThrows(() => setHostSettings(fd, [[name, "1"]]), UserError, "linux.sysctl");
    }
    const long = () => setHostSettings(fd, [["net.ipv4.ip_forward", "x/".repeat(50_000)]]);
    const { message } = assertThrows(long, UserError, "linux.sysctl");
    assert(message.length < 1000, message);
    setHostSettings(fd, [["kernel.no_such_setting", "1"]]);
  } finally {
    close(fd);
  }
});
