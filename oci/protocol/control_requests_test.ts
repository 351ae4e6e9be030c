import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { readRequest } from "./control_requests.ts";

Deno.test("a malformed request is an error that names the member", () => {
  for (
    const [text, where] of [
      ["", "not valid JSON"],
      ["null", "op is missing"],
      ['{"op":"format","id":"c"}', 'op is "format"'],
      ['{"op":"state"}', "id is missing"],
      ['{"op":"signal","id":"c","signo":65,"all":true}', "signo is 65"],
      ['{"op":"start","id":"c","hooks":[{"args":[]}]}', "hooks[0].args"],
      ['{"op":"update","id":"c","limits":{"pidsMax":"2"}}', "limits.pidsMax"],
      ['{"op":"update","id":"c","limits":{"__proto__":{}}}', "limits"],
      ['{"op":"memfd","bytes":0}', "bytes is 0"],
      ['{"op":"exec","id":"c","process":{"args":["a"],"env":[1]}}', "process.env[0]"],
      ['{"op":"exec","id":"c","process":{"args":["a"]}}', "process.env"],
      ['{"op":"checkpoint","id":"c","leaveRunning":true,"compression":20}', "compression is 20"],
      [
        '{"op":"checkpoint","id":"c","leaveRunning":true,"compression":0,"sockets":"keep"}',
        'sockets is "keep"',
      ],
    ] as const
  ) assertThrows(() => readRequest(text), UserError, where);
});

Deno.test("unknown members of a request are dropped", () => {
  const text = '{"op":"update","id":"c","limits":{"cpus":"0","pidsMax":-1,"memoryMax":null},"x":1}';
  assertEquals(readRequest(text), {
    op: "update",
    id: "c",
    limits: { cpus: "0", pidsMax: -1 },
  });
});
