/**
 * `hooks` of config.json (config.md, "POSIX-platform Hooks"): programs of the host.
 * launch/run_hooks.ts runs them.
 */

import type { JsonNode } from "../json_node.ts";

export const HOOK_KINDS = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
] as const;

type HookKind = typeof HOOK_KINDS[number];

/** Texts, as the host has them; `startContainer` hooks are looked up in the container. */
export interface Hook {
  /** Absolute. */
  readonly path: string;
  /** Including args[0]; empty: the path alone. */
  readonly args: readonly string[];
  /** NAME=VALUE; nothing else is in its environment. */
  readonly env: readonly string[];
  /** null: as long as it takes. */
  readonly timeoutSeconds: number | null;
  /** Names the entry in messages: `hooks.prestart[0]`. */
  readonly jsonPath: string;
}

export type Hooks = Readonly<Record<HookKind, readonly Hook[]>>;

/** LIMIT: seconds that a hook may be given. */
const TIMEOUT_MAX = 0x7fffffff;

export function readHooks(hooks: JsonNode): Hooks {
  const list = (kind: HookKind): Hook[] => hooks.member(kind).items().map(readHook);
  return {
    prestart: list("prestart"),
    createRuntime: list("createRuntime"),
    createContainer: list("createContainer"),
    startContainer: list("startContainer"),
    poststart: list("poststart"),
    poststop: list("poststop"),
  };
}

function readHook(node: JsonNode): Hook {
  return {
    path: node.member("path").absolutePath(),
    args: node.member("args").strings(),
    env: node.member("env").strings(),
    timeoutSeconds: node.member("timeout").optional(null, (n) => n.integer(1, TIMEOUT_MAX)),
    jsonPath: node.path,
  };
}
