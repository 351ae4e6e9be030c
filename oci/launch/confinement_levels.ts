/**
 * How far the host lets a process be confined: levels are tried from the best one down, and the
 * reason why a better one failed is kept. sentry_process.ts and gofer_process.ts say what each
 * level does.
 */

import { SyscallError } from "../../ffi/sys/errors.ts";
import { spawn, type Spawned, SpawnError, type SpawnScript } from "../../ffi/sys/spawn.ts";
import { UserError } from "../user_error.ts";

/**
 * `root`: namespaces with the privileges of this process. `user`: in a new user namespace. `none`:
 * no namespaces.
 */
export type Level = "root" | "user" | "none";

export interface LevelPlan {
  readonly level: Level;
  readonly cloneFlags: number;
  readonly script: SpawnScript;
  /** The process lacks a user namespace of its own, which this plan should have. */
  readonly isWeaker?: boolean;
}

export interface Launched extends Spawned {
  readonly level: Level;
  /** Why better levels failed, a line each. */
  readonly problems: readonly string[];
  /**
   * Why the process has no user namespace of its own where it should; null: it has one, or needs
   * none.
   */
  readonly weaker: string | null;
}

/**
 * Starts the process by the first plan that the host permits. Throws a UserError if none works.
 *
 * @param problems the reasons why plans before these failed
 */
export function launch(
  what: string,
  plans: readonly LevelPlan[],
  problems: string[] = [],
): Launched {
  let last: unknown;
  for (const { script, cloneFlags, level, isWeaker } of plans) {
    try {
      const weaker = isWeaker === true ? `no user namespace: ${problems.join("; ")}` : null;
      return { ...spawn(script, cloneFlags), level, problems, weaker };
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
