import { assert, assertEquals } from "@std/assert";
import { SYS_geteuid, SYS_prctl } from "../../ffi/abi/syscall_numbers.ts";
import { PR_SET_NO_NEW_PRIVS } from "../../ffi/abi/prctl.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import { JsonNode } from "../json_node.ts";
import { readResources } from "../spec/resources_section.ts";
import { OomWitness, startWitness } from "./oom_witness.ts";

/** More than the host takes. */
const WAIT_MS = 10_000;

/** A filter without privileges needs it. */
function noNewPrivileges(script: SpawnScript): void {
  script.call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

Deno.test("a witness allocates memory on request, repeatedly, up to its limit", () => {
  const witness = new OomWitness(startWitness({ bytes: 1 << 20, drop: noNewPrivileges }));
  try {
    for (let i = 0; i < 3; i++) assert(show(witness));
  } finally {
    witness.close();
  }
  assertEquals(show(witness), false);
});

/** Whether the host counted a kill. */
function show(witness: OomWitness): boolean {
  if (!witness.ask()) return false;
  assertEquals(witness.isAwaited, true);
  witness.take(WAIT_MS);
  return !witness.isAwaited;
}

function limited(): ContainerCgroup | null {
  if (syscall(SYS_geteuid) !== 0) return null;
  try {
    return ContainerCgroup.create({
      id: "w",
      cgroupsPath: `/dvisor-witness-${Deno.pid}`,
      resources: readResources(new JsonNode("", "", { memory: { limit: 8 << 20, swap: 8 << 20 } })),
      driver: "cgroupfs",
      isRootless: false,
    });
  } catch {
    return null;
  }
}

Deno.test("in a group with a limit the host counts it as killed for want of memory", () => {
  const cgroup = limited();
  // Only root can make groups, and not everywhere.
  if (cgroup === null) return;
  const join = (script: SpawnScript) => cgroup.join(script);
  const witness = new OomWitness(startWitness({ bytes: 256 << 20, join, drop: noNewPrivileges }));
  try {
    assertEquals(cgroup.oomCount(), 0);
    assert(show(witness));
    assertEquals(cgroup.oomCount(), 1);
    assert(show(witness));
    assertEquals(cgroup.oomCount(), 2);
    assertEquals(cgroup.processes().length, 1);
  } finally {
    witness.close();
    cgroup.kill();
    cgroup.remove();
  }
});
