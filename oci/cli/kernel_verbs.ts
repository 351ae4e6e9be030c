/** Declarations of the verbs that run in the kernel part; the command line shows their help. */

import type { Declaration } from "./command.ts";
import type { Options } from "../options/option.ts";

const JSON_OPTION = { json: { help: "as JSON" } } as const satisfies Options;

export const SYSCALLS = {
  name: "syscalls",
  summary: "show which system calls the sandbox has",
  usage: ["[--flags] [--json]"],
  description: "Shows the system calls of the sandbox's kernel: number, name, how far it is " +
    "supported, and what is missing.",
  options: {
    flags: {
      help: "their flags, commands and options instead: what works, or the error that it gives, " +
        "and the guest test that shows it",
    },
    json: { help: "as JSON, one object a call or set of flags" },
  },
} as const satisfies Declaration;

export const DOCTOR = {
  name: "doctor",
  summary: "show what this host offers to a sandbox",
  usage: ["[--json]"],
  description: "Shows what this host offers to a sandbox, which platform dvisor do " +
    "takes, and why.",
  options: JSON_OPTION,
  exitCodes: "0 when a sandbox can run here, else 1.",
} as const satisfies Declaration;
