/**
 * Starts `dvisor boot`, the kernel of a sandbox: own namespaces, no capabilities, another user where there is one to
 * become. Its root directory is taken away later, when it has loaded what it needs: empty_root.ts.
 */

import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "../../ffi/abi/sched.ts";
import { SYS_getegid, SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { SpawnScript } from "../../ffi/sys/spawn.ts";
import { launch, type Launched, type LevelPlan } from "./levels.ts";
import type { Program } from "./program.ts";
import * as steps from "./steps.ts";

/** The user that owns nothing. */
export const NOBODY = 65534;

const NAMESPACES = CLONE_NEWNS + CLONE_NEWPID + CLONE_NEWNET + CLONE_NEWIPC + CLONE_NEWUTS;

/** @param fds by number in the new process; -1: /dev/null */
export function startSentry(
  program: Program,
  args: readonly string[],
  fds: readonly number[],
): Launched {
  const isRoot = syscall(SYS_geteuid) === 0;
  const plans: LevelPlan[] = [];
  if (isRoot) plans.push({ level: "root", cloneFlags: NAMESPACES, script: asRoot() });
  plans.push({ level: "user", cloneFlags: NAMESPACES + CLONE_NEWUSER, script: asUser() });
  plans.push({ level: "none", cloneFlags: 0, script: asItIs() });
  return launch("kernel of the sandbox", plans);

  function asRoot(): SpawnScript {
    const script = begin();
    steps.privateMounts(script);
    steps.boundCapabilities(script, []);
    if (program.isPublic) steps.becomeUser(script, NOBODY, NOBODY);
    return end(script);
  }

  function asUser(): SpawnScript {
    const script = begin();
    steps.mapOwnIds(script, syscall(SYS_geteuid), syscall(SYS_getegid));
    steps.privateMounts(script);
    steps.boundCapabilities(script, []);
    return end(script);
  }

  function asItIs(): SpawnScript {
    const script = begin();
    steps.boundCapabilities(script, []);
    if (isRoot && program.isPublic) steps.becomeUser(script, NOBODY, NOBODY);
    return end(script);
  }

  function begin(): SpawnScript {
    const script = new SpawnScript();
    steps.ownSession(script);
    steps.descriptors(script, fds);
    steps.limits(script);
    return script;
  }

  function end(script: SpawnScript): SpawnScript {
    steps.dropCapabilities(script);
    steps.tieToParent(script);
    steps.execute(script, program, args);
    return script;
  }
}
