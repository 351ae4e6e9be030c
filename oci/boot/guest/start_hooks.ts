/**
 * Hooks that run inside a container before its program (`startContainer`): one after the other,
 * beside the first process, which is frozen meanwhile. Neighbours: launch/run_hooks.ts runs the
 * hooks on the host; container/start.ts requests these.
 */

import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { wExitStatus, wifExited, wTermSig } from "../../../ffi/abi/wait.ts";
import { toText } from "../../../kernel/core/bytes.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { Container } from "../../../kernel/task/container.ts";
import { killGroup } from "../../../kernel/task/exit_request.ts";
import type { ExitListener, ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { Timer } from "../../../kernel/time/timer.ts";
import { UserError } from "../../user_error.ts";
import type { ProcessSpec } from "../../protocol/boot_spec.ts";
import type { StartHook } from "../../protocol/control_protocol.ts";
import { startGuest } from "./guest_start.ts";

/** Standard streams of a hook: host descriptors. */
export type HookStreams = readonly [number, number, number];

interface HookOwner {
  /** All hooks have succeeded (null), or one has failed. */
  onHooksEnd(error: UserError | null): void;
}

export class StartHooks implements ExitListener {
  readonly #kernel: SandboxKernel;
  /**
   * A container with the same namespaces in which the hooks run, because the real one is frozen.
   */
  readonly #place: Container;
  readonly #process: ProcessSpec;
  readonly #hooks: readonly StartHook[];
  readonly #streams: readonly HookStreams[];
  readonly #owner: HookOwner;
  #next = 0;
  #deadline: Deadline | null = null;

  /** @param process the container's first process: hooks run as user 0 with its capabilities */
  constructor(
    kernel: SandboxKernel,
    container: Container,
    process: ProcessSpec,
    hooks: readonly StartHook[],
    streams: readonly HookStreams[],
    owner: HookOwner,
  ) {
    this.#kernel = kernel;
    const { id, pids, mounts, ns, accounts } = container;
    this.#place = new Container(`${id} hooks`, pids, mounts.hold(), ns.hold(), accounts);
    this.#process = process;
    this.#hooks = hooks;
    this.#streams = streams;
    this.#owner = owner;
  }

  /** Starts the next hook. */
  run(): void {
    const hook = this.#hooks[this.#next], streams = this.#streams[this.#next];
    if (hook === undefined || streams === undefined) return this.#end(null);
    try {
      const process = { ...this.#process, ...processOf(hook) };
      const { task } = startGuest(this.#kernel, this.#place, process, streams, false, this);
      if (hook.timeoutSeconds === null) return;
      this.#deadline = new Deadline(task.group);
      this.#kernel.timers.arm(this.#deadline, this.#kernel.now() + hook.timeoutSeconds * 1e9);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#end(failed(hook, error.message));
    }
  }

  onProcessEnd(group: ThreadGroup): void {
    const hook = this.#hooks[this.#next++], deadline = this.#deadline;
    this.#deadline = null;
    if (deadline !== null && !deadline.isOver) this.#kernel.timers.disarm(deadline);
    const status = group.exitStatus;
    if (hook === undefined || status === 0) return this.run();
    const how = deadline !== null && deadline.isOver
      ? `hook ran past specified timeout of ${hook.timeoutSeconds}s`
      : wifExited(status)
      ? `exit status ${wExitStatus(status)}`
      : `signal ${wTermSig(status)}`;
    this.#end(failed(hook, how));
  }

  #end(error: UserError | null): void {
    this.#place.ns.drop();
    this.#place.mounts.drop();
    this.#owner.onHooksEnd(error);
  }
}

function processOf(hook: StartHook): Partial<ProcessSpec> {
  return { args: hook.args, env: hook.env, cwd: "/", uid: 0, gid: 0, terminal: false };
}

function failed(hook: StartHook, what: string): UserError {
  const path = toText(hook.args[0] ?? "");
  return new UserError(`error running hook: ${hook.jsonPath} (${path}): ${what}`);
}

/** Kills a hook that takes too long. */
class Deadline extends Timer {
  readonly #group: ThreadGroup;
  isOver: boolean = false;

  constructor(group: ThreadGroup) {
    super();
    this.#group = group;
  }

  override onExpire(_nowNs: number): void {
    this.isOver = true;
    killGroup(this.#group, SIGKILL);
  }
}
