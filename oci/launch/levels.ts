/**
 * How far the host lets a process be locked up: tried from the best level down, with the reason why a better one
 * failed. Not here: what each level does (sentry_process.ts, gofer_process.ts).
 */

import { SyscallError } from "../../ffi/sys/errors.ts";
import { spawn, type Spawned, SpawnError, type SpawnScript } from "../../ffi/sys/spawn.ts";
import { UserError } from "../user_error.ts";

/**
 * `root`: namespaces with the privileges of this process. `user`: in a new user namespace. `none`: as it is.
 */
export type Level = "root" | "user" | "none";

export interface LevelPlan {
  readonly level: Level;
  readonly cloneFlags: number;
  readonly script: SpawnScript;
}

export interface Launched extends Spawned {
  readonly level: Level;
  /** Why not a better level, a line each. */
  readonly problems: readonly string[];
}

/** Starts by the first plan that the host permits. Throws a UserError if none works. */
export function launch(what: string, plans: readonly LevelPlan[]): Launched {
  const problems: string[] = [];
  let last: unknown;
  for (const plan of plans) {
    try {
      return { ...spawn(plan.script, plan.cloneFlags), level: plan.level, problems };
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (error instanceof SpawnError && error.syscallName.includes("execve")) {
        throw new UserError(`cannot start the ${what}`, undefined, error);
      }
      problems.push(error.message);
      last = error;
    }
  }
  throw new UserError(`cannot start the ${what}`, undefined, last);
}
