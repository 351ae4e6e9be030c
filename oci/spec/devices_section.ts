/** `linux.devices` of config.json: nodes that the container's /dev gets besides those that every container has. */

import { fromText } from "../../kernel/core/bytes.ts";
import type { DeviceSpec } from "../protocol/boot_spec.ts";
import type { JsonNode } from "../json_node.ts";

const DEFAULT_MODE = 0o666;
const ID_MAX = 0xfffffffe;
/** What dev_t has room for. */
const MAJOR_MAX = 0xfff, MINOR_MAX = 0xfffff;

export function readDevices(devices: JsonNode): DeviceSpec[] {
  return devices.items().map(readDevice);
}

function readDevice(node: JsonNode): DeviceSpec {
  const kind = node.member("type").oneOf(["c", "b", "u", "p"]);
  const number = (name: string, max: number): number =>
    kind === "p" ? 0 : node.member(name).integer(0, max);
  return {
    path: fromText(node.member("path").absolutePath()),
    type: kind === "u" ? "c" : kind,
    major: number("major", MAJOR_MAX),
    minor: number("minor", MINOR_MAX),
    mode: node.member("fileMode").optional(DEFAULT_MODE, (n) => n.integer(0, 0xffffffff)) & 0o7777,
    uid: node.member("uid").optional(0, (n) => n.integer(0, ID_MAX)),
    gid: node.member("gid").optional(0, (n) => n.integer(0, ID_MAX)),
  };
}
