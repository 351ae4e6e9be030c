import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { JsonNode } from "../../json_node.ts";
import { UserError } from "../../user_error.ts";
import { stringToBytes } from "../../../kernel/core/bytes.ts";
import { AccountFile, PASSWD } from "../guest/account_files.ts";
import { findUser, type GuestUser } from "./user_names.ts";

const FILES = {
  passwd: "root:x:0:0:root:/root:/bin/sh\n\nbad\nmary:x:1000:1001::/home/mary:\n" +
    "far:x:4294967295:1::/:\nneg:x:-1:1::/:\nnul:x:7:7::/a\0b:\nrel:x:8:8::home:\n" +
    "mary:x:0:0::/root:\n:x:0:0::/:\n",
  group: "root:x:0:\nstaff:x:50:bob,mary\nfar:x:4294967295:mary\nstaff:x:50:mary\nw:x:9:mary",
};

function find(user: unknown): GuestUser {
  const read = (path: string) =>
    new AccountFile(stringToBytes(path === PASSWD ? FILES.passwd : FILES.group));
  return findUser(read, new JsonNode("request", "user", user));
}

Deno.test("ids are those of the first line with the name, groups those of all lines", () => {
  assertEquals(find("mary"), { uid: 1000, gid: 1001, groups: [50, 9], home: "/home/mary" });
  assertEquals(find("root"), { uid: 0, gid: 0, groups: [], home: "/root" });
  assertEquals([find("nul").home, find("rel").home], [null, null]);
});

Deno.test("ids need no line, and have no groups", () => {
  assertEquals(find({ uid: 1000, gid: 5 }), { uid: 1000, gid: 5, groups: [], home: "/home/mary" });
  assertEquals(find({ uid: 77, gid: 0 }), { uid: 77, gid: 0, groups: [], home: null });
});

Deno.test("unknown names and ids that are none are refused", () => {
  for (const user of ["bob", "", "far", "neg", "bad", "1000", "mary\u00e9"]) {
    assertStringIncludes(assertThrows(() => find(user), UserError).message, "has no user");
  }
  for (const user of [{ uid: 0 }, { uid: -1, gid: 0 }, { uid: 2 ** 32 - 1, gid: 0 }, 0, null]) {
    assertThrows(() => find(user), UserError, "request: user");
  }
});
