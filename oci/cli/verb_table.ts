/**
 * Every verb of the command line. A verb is a file in verbs/. `boot`, `syscalls` and `doctor` run
 * in another part (part_table.ts); this table has only their help texts.
 */

import { command as create } from "./verbs/create.ts";
import { command as deleteCommand } from "./verbs/delete.ts";
import { command as events } from "./verbs/events.ts";
import { command as features } from "./verbs/features.ts";
import { command as install } from "./verbs/install.ts";
import { command as debug } from "./verbs/debug.ts";
import { command as exec } from "./verbs/exec.ts";
import { command as kill } from "./verbs/kill.ts";
import { command as list } from "./verbs/list.ts";
import { pause, resume } from "./verbs/pause.ts";
import { command as metrics } from "./verbs/metrics.ts";
import { command as ps } from "./verbs/ps.ts";
import { command as sandbox } from "./verbs/sandbox.ts";
import { command as start } from "./verbs/start.ts";
import { command as state } from "./verbs/state.ts";
import { command as doCommand } from "./verbs/do.ts";
import { helpCommand } from "./verbs/help.ts";
import { command as run } from "./verbs/run.ts";
import { command as spec } from "./verbs/spec.ts";
import { command as uninstall } from "./verbs/uninstall.ts";
import { command as update } from "./verbs/update.ts";
import { command as wait } from "./verbs/wait.ts";
import { DOCTOR_HELP, SYSCALLS_HELP } from "./kernel_help.ts";
import type { Verb } from "./command.ts";
import { usageError } from "../user_error.ts";

/** Every verb, in the order in which help shows them. */
export const VERBS: Readonly<Record<string, Verb>> = {
  do: { summary: "run a command in a sandbox over this machine's files", command: doCommand },
  sandbox: { summary: "make a sandbox for a library", command: sandbox },
  run: { summary: "run an OCI bundle in a sandbox", command: run },
  create: { summary: "make a container of an OCI bundle", command: create },
  start: { summary: "run the program of a created container", command: start },
  state: { summary: "show the state of a container, as JSON", command: state },
  list: { summary: "list containers", command: list },
  exec: { summary: "run another process in a container", command: exec },
  ps: { summary: "show the processes of a container", command: ps },
  pause: { summary: "stop all processes of a container", command: pause },
  resume: { summary: "continue a paused container", command: resume },
  wait: { summary: "wait for the end of a container", command: wait },
  kill: { summary: "send a signal to a container", command: kill },
  delete: { summary: "remove a stopped container", command: deleteCommand },
  update: { summary: "change limits of a running container", command: update },
  events: { summary: "show the resource use of a container, as JSON", command: events },
  metrics: { summary: "show numbers of all containers for Prometheus", command: metrics },
  debug: { summary: "show the processes and threads of a container", command: debug },
  features: { summary: "show the features of this runtime, as JSON", command: features },
  install: { summary: "make this a runtime of Docker or containerd", command: install },
  uninstall: { summary: "remove it from their configuration", command: uninstall },
  spec: { summary: "write a first config.json for a bundle", command: spec },
  syscalls: {
    summary: "show which system calls the sandbox has",
    command: { help: SYSCALLS_HELP, run: inKernelPart },
  },
  doctor: {
    summary: "show what this host offers to a sandbox",
    command: { help: DOCTOR_HELP, run: inKernelPart },
  },
  help: { summary: "show how a verb is used", command: helpCommand(() => VERBS) },
};

function inKernelPart(): never {
  throw usageError("this verb takes no options in front of it");
}
