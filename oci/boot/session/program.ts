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
import type { ProcessSpec } from "../../protocol/boot_spec.ts";
import type { SavedProgram } from "../snapshot/guest_records.ts";
import type { ExecResultMessage, JobInfo } from "../../protocol/session/messages.ts";
import { EXIT_NOT_FOUND } from "../../user_error.ts";
import { codeOfErrno, RequestError } from "../../protocol/request_error.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import type { ExecPlan } from "./exec_plan.ts";
import { PipeStreams } from "./pipe_streams.ts";
import type { ProgramStreams, StreamsListener } from "./program_streams.ts";
import { RestoredStreams } from "./restored_streams.ts";
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

/** What stays the same of a program while it runs. */
interface ProgramFacts {
  readonly id: number;
  /** Byte strings. */
  readonly argv: readonly string[];
  readonly isDetached: boolean;
  readonly startNs: number;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
}

interface ProgramParts {
  readonly streams: ProgramStreams;
  readonly job: Job;
  readonly pid: number;
}

export class Program implements JobListener, StreamsListener {
  readonly pid: number;
  readonly waiters: Set<JobWaiter> = new Set();
  readonly streams: ProgramStreams;
  readonly #session: Session;
  readonly #facts: ProgramFacts;
  readonly #job: Job;
  /** null: the result was delivered, or the client is gone. */
  #listener: ProgramListener | null;
  /** The main process has ended. */
  #hasEnded = false;

  /** @param make makes the parts, which call the program back later */
  private constructor(
    session: Session,
    facts: ProgramFacts,
    listener: ProgramListener | null,
    make: (program: Program) => ProgramParts,
  ) {
    this.#session = session;
    this.#facts = facts;
    this.#listener = listener;
    const { streams, job, pid } = make(this);
    this.streams = streams;
    this.#job = job;
    this.pid = pid;
    session.programs.set(facts.id, this);
  }

  /** @throws UserError if the program cannot be started */
  static start(
    session: Session,
    plan: ExecPlan,
    user: RequestUser,
    listener: ProgramListener,
  ): Program {
    const { argv, isDetached } = plan, id = session.nextJob();
    const times = { startNs: session.kernel.now(), startedMs: session.nowMs() };
    const program = new Program(session, { id, argv, isDetached, ...times }, listener, (made) => {
      return startParts(session, plan, user, made);
    });
    session.emit({
      kind: "start",
      pid: program.pid,
      argv: program.#shownArgv(),
      timeMs: times.startedMs,
    });
    return program;
  }

  /**
   * Lets a job of a restored kernel go on without its client, if it is detached; others end, as
   * they end with the connection of their client.
   */
  static adopt(session: Session, saved: SavedProgram): void {
    const { job, pid, streams: ends, hasEnded, ...facts } = saved;
    const program = new Program(session, facts, null, (made) => {
      return { streams: new RestoredStreams(session.kernel, ends, made), job, pid };
    });
    program.#hasEnded = hasEnded;
    job.adopt(program);
    program.abandon();
  }

  /** What a snapshot keeps of it. */
  save(): SavedProgram {
    const { id, argv, isDetached, startNs, startedMs } = this.#facts;
    const facts = { id, argv: [...argv], isDetached, startNs, startedMs };
    const streams = this.streams.save();
    return { ...facts, pid: this.pid, hasEnded: this.#hasEnded, job: this.#job, streams };
  }

  get id(): number {
    return this.#facts.id;
  }

  #shownArgv(): string[] {
    return this.#facts.argv.slice(0, SHOWN_WORDS).map((word) => {
      return wireOf(word.slice(0, SHOWN_CHARACTERS));
    });
  }

  get info(): JobInfo {
    return {
      job: this.id,
      pid: this.pid,
      background: this.#hasEnded,
      argv: this.#shownArgv(),
      startedMs: this.#facts.startedMs,
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
    if (this.#facts.isDetached) this.streams.discard();
    else {
      this.#job.kill("killed");
      this.streams.close();
    }
  }

  /** All output was read, or the client reads no more of it. */
  release(): void {
    this.#listener = null;
    if (this.#facts.isDetached && this.#session.programs.has(this.id)) this.streams.discard();
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
    if (!this.#facts.isDetached) return job.killRest();
    job.setDeadline(Infinity);
    this.#deliver();
  }

  onJobEnd(_job: Job): void {
    this.#session.programs.delete(this.id);
    if (!this.#facts.isDetached) this.#deliver();
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
      durationMs: (this.#session.kernel.now() - this.#facts.startNs) / NS_A_MS,
      peakMemoryBytes,
      cpuMs: cpuNs / NS_A_MS,
    };
  }
}

/** @throws UserError if the program cannot be started */
function startParts(
  session: Session,
  plan: ExecPlan,
  user: RequestUser,
  program: Program,
): ProgramParts {
  const { kernel, container } = session, { terminal } = plan;
  const streams = terminal === null
    ? new PipeStreams(kernel, container, user.cred, plan.hasInput, program)
    : new TerminalStreams(kernel, container, user.cred, terminal, program);
  const process = processOf(plan, user);
  const job = new Job(kernel, container, {
    wallNs: plan.timeoutMs * NS_A_MS,
    cpuNs: plan.cpuMs * NS_A_MS,
    memoryBytes: plan.memoryBytes,
    tasks: plan.pids,
    cpus: plan.cpus,
  }, program);
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
      files: streams.files,
    },
    null,
    job,
  );
  if ("errno" in task) {
    streams.close();
    throw programError(task, process);
  }
  setProcessAttributes(task, process);
  streams.begin(task);
  return { streams, job, pid: task.group.id.numberIn(container.pids) };
}

function processOf({ argv, cwd, env, terminal }: ExecPlan, { process }: RequestUser): ProcessSpec {
  const own = terminal === null ? process.env : withVariables([DEFAULT_TERM], process.env);
  return { ...process, args: argv, cwd: cwd ?? process.cwd, env: withVariables(own, env) };
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
