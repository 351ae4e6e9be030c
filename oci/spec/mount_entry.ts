/** One entry of `mounts` in config.json. */

import { fromText } from "../../kernel/core/bytes.ts";
import { isFlagOption } from "../sandbox/mount_options.ts";
import type { JsonNode } from "./json_node.ts";

export interface ConfigMount {
  /** In the sandbox; a byte string. */
  readonly destination: string;
  /** "bind", or a file system type of the kernel. */
  readonly type: string;
  /** Of a bind mount: a host path, relative to the bundle. */
  readonly source: string | null;
  /** Byte strings. */
  readonly options: readonly string[];
  readonly isReadOnly: boolean;
  /** Names the entry in messages. */
  readonly path: string;
}

/** File systems that the kernel of a sandbox can mount. */
const TYPES = ["tmpfs", "proc", "sysfs", "devtmpfs", "devpts", "mqueue", "overlay"] as const;

export function readMount(node: JsonNode): ConfigMount {
  node.object();
  node.member("uidMappings").refuse();
  node.member("gidMappings").refuse();
  const destination = node.member("destination").absolutePath();
  const options = node.member("options").strings();
  const isBind = options.some((o) => o === "bind" || o === "rbind");
  const type = node.member("type");
  const isReadOnly = options.lastIndexOf("ro") > options.lastIndexOf("rw");
  const common = { destination: fromText(destination), isReadOnly, path: node.path };
  if (isBind || !type.isAbsent && type.string() === "bind") {
    checkBindOptions(node.member("options"));
    const source = node.member("source").string();
    return { ...common, type: "bind", source, options: options.map(fromText) };
  }
  const name = type.oneOf(TYPES);
  // A tmpfs at /dev is where a runtime makes the devices that every program expects.
  const real = name === "tmpfs" && destination === "/dev" ? "devtmpfs" : name;
  return { ...common, type: real, source: null, options: options.map(fromText) };
}

function checkBindOptions(options: JsonNode): void {
  for (const option of options.items()) {
    if (!isFlagOption(option.string())) {
      option.fail(`is "${option.string()}", which a bind mount does not have`);
    }
  }
}
