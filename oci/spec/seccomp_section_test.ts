import { TEST_ACCOUNT } from "../../kernel/core/account_testing.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { AUDIT_ARCH_X86_64 } from "../../ffi/abi/seccomp.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { DATA_WORDS } from "../../kernel/seccomp/filter.ts";
import { seccompFilterOf, X32_BIT } from "../../kernel/seccomp/oci_filter.ts";
import { UserError } from "../user_error.ts";
import { JsonNode } from "../json_node.ts";
import { parseSeccomp } from "./seccomp_section.ts";

const ALLOW = 0x7fff0000, ERRNO = 0x50000, KILL = 0;

type Json = Record<string, unknown>;

function parse(seccomp: unknown) {
  const text = JSON.stringify({ linux: { seccomp } });
  return parseSeccomp(JsonNode.parse("config.json", text).member("linux").member("seccomp"));
}

/** The verdict of a profile for a call, by name or number. */
function judge(profile: Json, call: string | number, ...args: number[]): number {
  // Through JSON, as it goes to the sandbox.
  const spec = JSON.parse(JSON.stringify(parse(profile)));
  const filter = seccompFilterOf(TEST_ACCOUNT, spec), data = new Uint32Array(DATA_WORDS);
  const nr = typeof call === "number" ? call : NAMES.indexOf(call);
  data[0] = nr;
  data[1] = AUDIT_ARCH_X86_64;
  args.forEach((value, i) => {
    data[4 + 2 * i] = value % 2 ** 32;
    data[5 + 2 * i] = Math.floor(value / 2 ** 32);
  });
  const verdict = filter.decide(data);
  if (nr >= 0 && nr < 512 && filter.alwaysAllows(nr)) assertEquals(verdict, ALLOW);
  return verdict;
}

function arg(index: number, op: string, value: number, valueTwo: number = 0): Json {
  return { index, op: `SCMP_CMP_${op}`, value, valueTwo };
}

function rule(action: string, names: string[], ...args: Json[]): Json {
  return { names, action: `SCMP_ACT_${action}`, args };
}

function profile(action: string, ...syscalls: Json[]): Json {
  return { defaultAction: `SCMP_ACT_${action}`, syscalls };
}

Deno.test("without the section there is no filter", () => {
  assertEquals(parse(undefined), null);
  assertEquals(parse(null), null);
});

Deno.test("the default counts where no rule does; foreign names are passed over", () => {
  const p = profile("ERRNO", rule("ALLOW", ["read", "chown32", "no_such_call", "statx"]));
  assertEquals(judge(p, "read"), ALLOW);
  assertEquals(judge(p, "write"), ERRNO | 1);
  assertEquals(judge({ ...p, defaultErrnoRet: 38 }, "write"), ERRNO | 38);
});

Deno.test("calls younger than the profile do not exist, unless the default allows", () => {
  const rules = [rule("ERRNO", ["getpid"]), rule("ALLOW", ["read", "statx"])];
  const young = NAMES.indexOf("statx") + 2, x32 = X32_BIT + 500;
  assertEquals(judge(profile("ERRNO", ...rules), young), ERRNO | 38);
  assertEquals(judge(profile("KILL", ...rules), young), ERRNO | 38);
  assertEquals(judge(profile("KILL", ...rules), NAMES.indexOf("statx")), ALLOW);
  assertEquals(judge(profile("ALLOW", ...rules), young), ALLOW);
  assertEquals(judge(profile("LOG", ...rules), young), 0x7ffc0000);
  assertEquals(judge(profile("ERRNO", ...rules), x32), KILL);
  const both = { ...profile("ERRNO", ...rules), architectures: ["SCMP_ARCH_X32"] };
  assertEquals(judge(both, x32), ERRNO | 38);
  assertEquals(judge(both, X32_BIT), ALLOW, "read of x32");
});

Deno.test("a call of number -1 has the default", () => {
  assertEquals(judge(profile("ERRNO", rule("ALLOW", ["read"])), 0xffffffff), ERRNO | 1);
});

Deno.test("each comparison is of 64 bits without a sign", () => {
  const big = 2 ** 40 + 5,
    cases: [string, number, number, boolean][] = [
      ["NE", 5, 5, false],
      ["NE", 5, big, true],
      ["LT", big, big - 1, true],
      ["LT", big, big, false],
      ["LT", 2 ** 32, 7, true],
      ["LE", big, big, true],
      ["LE", 5, big, false],
      ["EQ", big, big, true],
      ["EQ", 5, big, false],
      ["GE", big, big, true],
      ["GE", big, 5, false],
      ["GE", 6, 2 ** 63, true],
      ["GT", big, big, false],
      ["GT", 7, 2 ** 32, true],
    ];
  for (const [op, value, given, holds] of cases) {
    const p = profile("ERRNO", rule("ALLOW", ["personality"], arg(1, op, value)));
    assertEquals(judge(p, "personality", 0, given) === ALLOW, holds, `${given} ${op} ${value}`);
  }
});

Deno.test("a masked comparison masks both sides", () => {
  const p = profile("ERRNO", rule("ALLOW", ["clone"], arg(0, "MASKED_EQ", 0x7e020000)));
  assertEquals(judge(p, "clone", 0x01200011), ALLOW);
  assertEquals(judge(p, "clone", 0x10000000), ERRNO | 1);
  const both = profile("ERRNO", rule("ALLOW", ["clone"], arg(0, "MASKED_EQ", 0xff, 0x1ff)));
  assertEquals(judge(both, "clone", 0xff), ALLOW);
});

Deno.test("conditions of one rule hold together, but on one argument each stands alone", () => {
  const apart = profile(
    "ERRNO",
    rule("ALLOW", ["socket"], arg(0, "EQ", 16), arg(2, "EQ", 9)),
  );
  assertEquals(judge(apart, "socket", 16, 0, 9), ALLOW);
  assertEquals(judge(apart, "socket", 16, 0, 8), ERRNO | 1);
  const same = profile("ERRNO", rule("ALLOW", ["socket"], arg(0, "EQ", 1), arg(0, "EQ", 2)));
  assertEquals(judge(same, "socket", 1), ALLOW);
  assertEquals(judge(same, "socket", 2), ALLOW);
  assertEquals(judge(same, "socket", 3), ERRNO | 1);
});

Deno.test("a rule without conditions counts alone, and the default's not at all", () => {
  const first = { ...rule("ERRNO", ["socket"]), errnoRet: 5 };
  const p = profile("KILL", rule("ALLOW", ["socket"], arg(0, "EQ", 1)), first);
  assertEquals(judge(p, "socket", 1), ERRNO | 5);
  assertEquals(
    judge(profile("KILL", first, { ...first, errnoRet: 6 }), "socket"),
    ERRNO | 5,
    "the first",
  );
  const same = profile("ALLOW", rule("ALLOW", ["socket"]), first);
  assertEquals(judge(same, "socket"), ERRNO | 5);
});

Deno.test("an error names the JSON path of the wrong value", () => {
  const cases: [Json | string, string][] = [
    ["x", `linux.seccomp is "x", expected an object`],
    [{}, "linux.seccomp.defaultAction is missing, expected a string"],
    [profile("NOTIFY"), "linux.seccomp.defaultAction is SCMP_ACT_NOTIFY, which is not supported"],
    [
      profile("ALLOW", rule("NOTIFY", ["mount"])),
      "linux.seccomp.syscalls[0].action is SCMP_ACT_NOTIFY, which is not supported",
    ],
    [profile("ALLOW", rule("KILL", [])), "linux.seccomp.syscalls[0].names is empty"],
    [profile("ALLOW", rule("KILL", [""])), "linux.seccomp.syscalls[0].names[0] is empty"],
    [
      profile("ALLOW", rule("KILL", ["read"], arg(6, "EQ", 1))),
      "linux.seccomp.syscalls[0].args[0].index is 6, expected a whole number from 0 to 5",
    ],
    [
      profile("ALLOW", rule("KILL", ["read"], arg(0, "IS", 1))),
      `linux.seccomp.syscalls[0].args[0].op is "SCMP_CMP_IS"`,
    ],
    [
      profile("ALLOW", rule("KILL", ["read"], arg(0, "EQ", 2 ** 60))),
      "linux.seccomp.syscalls[0].args[0].value is 1152921504606847000, expected a whole number",
    ],
    [
      { ...profile("ERRNO"), defaultErrnoRet: 5000 },
      "linux.seccomp.defaultErrnoRet is 5000, expected a whole number from 0 to 4095",
    ],
    [
      { ...profile("ERRNO"), flags: ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] },
      `linux.seccomp.flags[0] is "SECCOMP_FILTER_FLAG_NEW_LISTENER", expected`,
    ],
    [
      { ...profile("ERRNO"), architectures: ["SCMP_ARCH_VAX"] },
      `linux.seccomp.architectures[0] is "SCMP_ARCH_VAX", expected`,
    ],
  ];
  for (const [seccomp, message] of cases) {
    assertThrows(() => parse(seccomp), UserError, message);
  }
  assertEquals(
    judge(profile("ALLOW", rule("KILL", ["read"], arg(0, "EQ", 2 ** 64))), "read"),
    ALLOW,
  );
});
