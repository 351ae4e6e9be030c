/**
 * A program of a session while it runs: its job (kernel/job/) and its streams. It outlives its
 * channel if it is detached. exec_channel.ts connects it with a client.
 */

import { EAGAIN, ENOENT, ENOTDIR } from "../../../ffi/abi/errno.ts";
import { SI_USER } from "../../../ffi/abi/siginfo.ts";
import { SIGKILL, signalName } from "../../../ffi/abi/signal.ts";
import { wExitStatus, wifExited, wTermSig } from "../../../ffi/abi/wait.ts";
import { type InitFailure, startIn } from "../../../kernel/init.ts";
import { Job, type JobListener } from "../../../kernel/job/job.ts";
import { SigInfo } from "../../../kernel/signal/pending.ts";
import { sendToGroup } from "../../../kernel/signal/send.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { startError } from "../guest/guest_start.ts";
import { toText } from "../../../kernel/core/bytes.ts";
import { limitsOf, setProcessAttributes } from "../guest/identity.ts";
import { withVariables } from "../../environment.ts";
import type { ExecResultMessage, JobInfo } from "../../protocol/session/messages.ts";
import { EXIT_NOT_FOUND } from "../../user_error.ts";
import { codeOfErrno, RequestError } from "../../protocol/request_error.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import type { ExecPlan } from "./exec_plan.ts";
import { PipeStreams } from "./pipe_streams.ts";
import type { ProgramStreams, StreamsListener } from "./program_streams.ts";
import type { RequestUser, Session } from "./session.ts";
import { TerminalStreams } from "./terminal_streams.ts";
import { wireOf } from "../../protocol/wire_text.ts";

const NS_A_MS = 1e6;
/** For a program with a terminal. */
const DEFAULT_TERM = "TERM=xterm-256color";
/** LIMIT: words of a command, and characters of each, in events and lists. */
const SHOWN_WORDS = 64, SHOWN_CHARACTERS = 1024;

/** A listener for a program that a client waits for. */
export interface ProgramListener extends StreamsListener {
  /** The program has ended: output that is there can be read, and then its end. */
  onProgramEnd(result: ExecResultMessage): void;
}

/** Waits for the end of a job. */
export interface JobWaiter {
  onJobEnd(): void;
}

export class Program implements JobListener, StreamsListener {
  readonly id: number;
  readonly pid: number;
  readonly waiters: Set<JobWaiter> = new Set();
  readonly streams: ProgramStreams;
  readonly #session: Session;
  readonly #plan: ExecPlan;
  readonly #job: Job;
  readonly #startNs: number;
  readonly #startedMs: number;
  /** null: the result was delivered, or the client is gone. */
  #listener: ProgramListener | null;
  /** The main process has ended. */
  #hasEnded = false;

  /** @throws UserError if the program cannot be started */
  constructor(session: Session, plan: ExecPlan, user: RequestUser, listener: ProgramListener) {
    const { kernel, container } = session, { terminal } = plan;
    this.#session = session;
    this.#plan = plan;
    this.#listener = listener;
    this.id = session.nextJob();
    this.#startNs = kernel.now();
    this.#startedMs = session.nowMs();
    this.streams = terminal === null
      ? new PipeStreams(kernel, container, user.cred, plan.hasInput, this)
      : new TerminalStreams(kernel, container, user.cred, terminal, this);
    const process = this.#process(user);
    this.#job = new Job(kernel, container, {
      wallNs: plan.timeoutMs * NS_A_MS,
      cpuNs: plan.cpuMs * NS_A_MS,
      memoryBytes: plan.memoryBytes,
      tasks: plan.pids,
      cpus: plan.cpus,
    }, this);
    const task = startIn(
      kernel,
      container,
      {
        args: process.args,
        env: process.env,
        cwd: process.cwd,
        umask: process.umask,
        cred: user.cred,
        limits: limitsOf(process),
        leadsSession: true,
        files: this.streams.files,
      },
      null,
      this.#job,
    );
    if ("errno" in task) {
      this.streams.close();
      throw programError(task, process);
    }
    setProcessAttributes(task, process);
    this.streams.begin(task);
    this.pid = task.group.id.numberIn(container.pids);
    session.programs.set(this.id, this);
    session.emit({
      kind: "start",
      pid: this.pid,
      argv: this.#shownArgv(),
      timeMs: this.#startedMs,
    });
  }

  #process({ process }: RequestUser) {
    const { argv, cwd, env, terminal } = this.#plan;
    const own = terminal === null ? process.env : withVariables([DEFAULT_TERM], process.env);
    return { ...process, args: argv, cwd: cwd ?? process.cwd, env: withVariables(own, env) };
  }

  #shownArgv(): string[] {
    return this.#plan.argv.slice(0, SHOWN_WORDS).map((word) => {
      return wireOf(word.slice(0, SHOWN_CHARACTERS));
    });
  }

  get info(): JobInfo {
    return {
      job: this.id,
      pid: this.pid,
      background: this.#hasEnded,
      argv: this.#shownArgv(),
      startedMs: this.#startedMs,
      processes: this.#job.groups.size,
    };
  }

  // From the streams.

  onOutput(stream: number): void {
    this.#listener?.onOutput(stream);
  }
  onTaken(bytes: number): void {
    this.#listener?.onTaken(bytes);
  }

  // From the client.

  /** Sends a signal to the main process; SIGKILL ends the job. */
  signal(signo: number): void {
    if (signo === SIGKILL) this.#job.kill("killed");
    else if (this.#job.main !== null) send(this.#job.main, signo);
  }

  /** Sends a signal to all processes of the job. */
  signalAll(signo: number): void {
    if (signo === SIGKILL) this.#job.kill("killed");
    else for (const group of [...this.#job.groups]) send(group, signo);
  }

  killFor(reason: "output" | "killed"): void {
    this.#job.kill(reason);
  }

  /** The client is gone. A detached program goes on, and its output is dropped. */
  abandon(): void {
    this.#listener = null;
    if (this.#plan.isDetached) this.streams.discard();
    else {
      this.#job.kill("killed");
      this.streams.close();
    }
  }

  /** All output was read, or the client reads no more of it. */
  release(): void {
    this.#listener = null;
    if (this.#plan.isDetached && this.#session.programs.has(this.id)) this.streams.discard();
    else this.streams.close();
  }

  // From the job.

  onOomKill(victim: ThreadGroup): void {
    this.#session.emit({
      kind: "oom",
      pid: victim.id.numberIn(this.#session.container.pids),
      command: wireOf(victim.tasks[0]?.comm ?? ""),
      timeMs: this.#session.nowMs(),
    });
  }

  onMainEnd(job: Job): void {
    this.#hasEnded = true;
    if (!this.#plan.isDetached) return job.killRest();
    job.setDeadline(Infinity);
    this.#deliver();
  }

  onJobEnd(_job: Job): void {
    this.#session.programs.delete(this.id);
    if (!this.#plan.isDetached) this.#deliver();
    for (const waiter of this.waiters) waiter.onJobEnd();
    this.waiters.clear();
    if (this.#listener === null) this.streams.close();
    this.#session.workListener?.onWorkEnd();
  }

  #deliver(): void {
    const result = this.#result();
    const { code, signal, reason } = result;
    const timeMs = this.#session.nowMs();
    this.#session.emit({ kind: "end", pid: this.pid, code, signal, reason, timeMs });
    this.streams.finish();
    this.#listener?.onProgramEnd(result);
  }

  #result(): ExecResultMessage {
    const { status, reason, peakMemoryBytes, cpuNs } = this.#job;
    const isExit = wifExited(status);
    return {
      code: isExit ? wExitStatus(status) : null,
      signal: isExit ? null : signalName(wTermSig(status)),
      reason: reason ?? (isExit ? "exit" : "signal"),
      durationMs: (this.#session.kernel.now() - this.#startNs) / NS_A_MS,
      peakMemoryBytes,
      cpuMs: cpuNs / NS_A_MS,
    };
  }
}

/** Why a program could not be started, with the path that it is about. */
function programError(
  failure: InitFailure,
  process: Parameters<typeof startError>[1],
): RequestError {
  const { exitCode, message } = startError(failure, process);
  const isMissing = exitCode === EXIT_NOT_FOUND ||
    failure.errno === ENOENT || failure.errno === ENOTDIR;
  const isLimit = failure.errno === EAGAIN; // of processes
  const code = isMissing ? "NotFound" : isLimit ? "Limit" : codeOfErrno(failure.errno);
  return new RequestError(code, message, errnoName(-failure.errno), toText(failure.what));
}

function send(group: ThreadGroup, signo: number): void {
  const info = new SigInfo(signo, SI_USER);
  info.isFromOutside = true;
  sendToGroup(group, info);
}
