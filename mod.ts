/**
 * dvisor as a library for scripts: `Sandbox` runs programs in sandboxes (oci/library/sandbox.ts),
 * in Deno, Node and Bun.
 *
 * Neighbour: oci/main.ts is the command line.
 *
 * @module
 */

export {
  AlreadyExistsError,
  type ErrorDetails,
  InvalidArgumentError,
  IsADirectoryError,
  LimitError,
  NotADirectoryError,
  NotEmptyError,
  NotFoundError,
  PermissionError,
  RolledBackError,
  SandboxError,
  SandboxGoneError,
  TimeoutError,
  UnsupportedError,
} from "./oci/library/errors.ts";
export type { EventStream } from "./oci/library/event_stream.ts";
export type {
  FileOptions,
  MakeDirectoryOptions,
  ReadFileOptions,
  RecursiveOptions,
  SandboxFiles,
  StatOptions,
  WriteFileOptions,
} from "./oci/library/files.ts";
export type {
  ExecOptions,
  LinesOptions,
  Mount,
  ProgramOptions,
  SandboxOptions,
  SpawnOptions,
  TerminalSize,
} from "./oci/library/options.ts";
export type { Job } from "./oci/library/job.ts";
export type { ExposedPort, ExposeOptions, SandboxPorts } from "./oci/library/ports.ts";
export type { ExecResult, Program, ProgramStatus } from "./oci/library/program.ts";
export { Sandbox, type ShellTag } from "./oci/library/sandbox.ts";
export type { Snapshot } from "./oci/library/snapshot.ts";
export type { RestoreOptions, SaveOptions } from "./oci/library/snapshot_file.ts";
export type { ShellValue } from "./oci/library/shell.ts";
export type { Progress, TransferOptions, Transferred } from "./oci/library/transfer.ts";
export type {
  Change,
  FileStatus,
  JobLimits,
  Reason,
  SandboxEvent,
  SandboxInfo,
  StatsMessage as SandboxStats,
  UserName,
  WatchEvent,
} from "./oci/protocol/session/messages.ts";

if (import.meta.main && "Deno" in globalThis) {
  // Run as a program it is the command line. Packages of the library do not have that, so the
  // address is computed: neither bundlers nor the packages' tools follow it.
  const command: { runCommandLine(): Promise<void> } = await import(
    new URL("./oci/main.ts", import.meta.url).href
  );
  await command.runCommandLine();
}
