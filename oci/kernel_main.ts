/** The part of `dvisor` that has the kernel in it: parts.ts. */

import { command as boot } from "./cli/verbs/boot.ts";
import { command as doctor } from "./cli/verbs/doctor.ts";
import { command as syscalls } from "./cli/verbs/syscalls.ts";
import type { Command } from "./cli/command.ts";
import { runCommand } from "./cli/run_command.ts";

const COMMANDS: Readonly<Record<string, Command>> = { boot, doctor, syscalls };

const [verb = "", ...args] = Deno.args;
const command = COMMANDS[verb];
if (command === undefined) throw new Error(`the kernel part has no verb ${verb}`);
Deno.exit(await runCommand(command, args));
