/** The hooks of config.json at create: with the final pid, while the kernel of the sandbox starts. */

import { close } from "../../ffi/sys/files.ts";
import { runHooks } from "../launch/run_hooks.ts";
import { openNamespace } from "../launch/proxy_process.ts";
import type { Hooks } from "../spec/hooks_section.ts";
import type { ContainerRecord } from "../state/record.ts";
import { ociState } from "./oci_state.ts";

/** Of the proxy, what stands for the container's own. */
const ENTERED = ["net", "ipc", "uts"];

/** @param pid of the proxy @throws UserError */
export function runCreateHooks(hooks: Hooks, record: ContainerRecord, pid: number): void {
  const init = { ...record.init, pid };
  const state = JSON.stringify(ociState({ ...record, init }, "creating"));
  const place = { state, directory: record.bundle };
  runHooks([...hooks.prestart, ...hooks.createRuntime], place);
  if (hooks.createContainer.length === 0) return;
  const enter = ENTERED.map((name) => openNamespace(`/proc/${pid}/ns/${name}`));
  try {
    runHooks(hooks.createContainer, { ...place, enter });
  } finally {
    enter.forEach(close);
  }
}
