/** `dvisor uninstall`: takes this runtime out of the configuration of Docker or containerd. */

import { readFlags } from "../../options/flags.ts";
import { checkRuntimeName, clientOf } from "../../install/clients.ts";
import type { Command } from "../command.ts";
import { change, clientName } from "./install.ts";

const HELP = `Usage: dvisor uninstall [OPTION...] [docker|containerd]

Removes the runtime from the configuration of Docker (the default) or containerd, and keeps the
rest. Running containers are not changed.

Options:
  --name NAME    name of the runtime; the default is dvisor
  --config FILE  the configuration; the default is /etc/docker/daemon.json, and
                 /etc/containerd/config.toml
  --dry-run      only show what would change`;

export const command: Command = {
  help: HELP,
  run(args) {
    const flags = readFlags(args, {
      strings: ["name", "config"],
      booleans: ["dry-run"],
      go: {},
    });
    const client = clientOf(clientName(flags.rest, "uninstall"));
    const name = checkRuntimeName(flags.string("name") ?? "dvisor");
    return change({
      path: flags.string("config") ?? client.configPath,
      isDryRun: flags.has("dry-run"),
      edit: (text) => client.uninstall(text, name),
      done: `${name} is no runtime any more from the next "${client.reload}" on`,
    });
  },
};
