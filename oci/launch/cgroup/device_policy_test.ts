import { assertEquals } from "@std/assert";
import type { DeviceRule } from "../../spec/resources_section.ts";
import { devicePolicy, devicePolicyProgram } from "./device_policy.ts";

function rule(text: string): DeviceRule {
  const [sign, type = "a", numbers = "*:*", access = "rwm"] = text.split(" ");
  const [major, minor] = numbers.split(":").map((n) => n === "*" ? null : Number(n));
  const kind = type === "b" || type === "c" ? type : "a";
  return {
    isAllowed: sign === "+",
    type: kind,
    major: major ?? null,
    minor: minor ?? null,
    access,
  };
}

/** Runs the program as the kernel would: the few instructions that it is made of. */
function ask(
  rules: string[],
  type: "b" | "c",
  major: number,
  minor: number,
  access: string,
): boolean {
  const code = devicePolicyProgram(devicePolicy(rules.map(rule)));
  const view = new DataView(code.buffer), registers = new Array<number>(11).fill(0);
  const bits = [..."mrw"].reduce((sum, c, i) => access.includes(c) ? sum | 1 << i : sum, 0);
  const context = [bits << 16 | (type === "b" ? 1 : 2), major, minor];
  for (let pc = 0, steps = 0; steps < 1000; pc++, steps++) {
    const at = 8 * pc, regs = view.getUint8(at + 1), to = regs & 15, from = regs >> 4;
    const offset = view.getInt16(at + 2, true), immediate = view.getInt32(at + 4, true);
    const value = registers[to] ?? 0;
    switch (view.getUint8(at)) {
      case 0x61:
        registers[to] = context[offset / 4] ?? 0;
        break;
      case 0xbc:
        registers[to] = registers[from] ?? 0;
        break;
      case 0x54:
        registers[to] = value & immediate;
        break;
      case 0x74:
        registers[to] = value >>> immediate;
        break;
      case 0xb7:
        registers[to] = immediate;
        break;
      case 0x55:
        if (value !== immediate) pc += offset;
        break;
      case 0x15:
        if (value === immediate) pc += offset;
        break;
      case 0x95:
        return registers[0] === 1;
      default:
        throw new Error(`opcode at ${pc}`);
    }
  }
  throw new Error("the program does not end");
}

Deno.test("everything is allowed without rules", () => {
  assertEquals(ask([], "c", 1, 3, "rw"), true);
});

Deno.test("a list of allowed devices", () => {
  const rules = ["- a", "+ c 1:3", "+ b *:* m", "+ c 136:* rw"];
  assertEquals(ask(rules, "c", 1, 3, "rwm"), true);
  assertEquals(ask(rules, "c", 1, 4, "r"), false);
  assertEquals(ask(rules, "b", 1, 3, "r"), false);
  assertEquals(ask(rules, "b", 8, 0, "m"), true);
  assertEquals(ask(rules, "b", 8, 0, "rm"), false);
  assertEquals(ask(rules, "c", 136, 7, "rw"), true);
  assertEquals(ask(rules, "c", 136, 7, "m"), false);
});

Deno.test("a list of denied devices", () => {
  const rules = ["+ a", "- c 10:* w"];
  assertEquals(ask(rules, "c", 10, 1, "r"), true);
  assertEquals(ask(rules, "c", 10, 1, "rw"), false);
  assertEquals(ask(rules, "b", 10, 1, "rw"), true);
});

Deno.test("rules add up, and later ones remove", () => {
  assertEquals(ask(["- a", "+ c 1:3 r", "+ c 1:3 w"], "c", 1, 3, "rw"), true);
  assertEquals(ask(["- a", "+ c 1:3", "- c 1:3 w"], "c", 1, 3, "rw"), false);
  assertEquals(ask(["- a", "+ c 1:3", "- c 1:3 w"], "c", 1, 3, "r"), true);
  assertEquals(ask(["- a", "+ c 1:3", "- a"], "c", 1, 3, "r"), false);
  assertEquals(ask(["- a", "+ a"], "c", 1, 3, "r"), true);
});
