/** `dvisor uninstall`: takes this runtime out of the configuration of Docker or containerd. */

import { checkRuntimeName, clientOf, CLIENTS } from "../../install/clients.ts";
import { defineCommand } from "../command.ts";
import { change, CLIENT_OPTIONS, clientName } from "./install.ts";

export const command = defineCommand({
  name: "uninstall",
  summary: "remove it from their configuration",
  usage: ["[OPTION...] [docker|containerd]"],
  operands: [CLIENTS],
  description: "Removes the runtime from the configuration of Docker (the default) or " +
    "containerd, and keeps the rest. Running containers are not changed.",
  options: CLIENT_OPTIONS,
  isGoStyle: true,
  anywhere: true,
  run(flags) {
    const client = clientOf(clientName(flags.rest, "uninstall"));
    const name = checkRuntimeName(flags.options.name);
    return change({
      path: flags.options.config ?? client.configPath,
      isDryRun: flags.options["dry-run"],
      edit: (text) => client.uninstall(text, name),
      done: `${name} is no runtime any more from the next "${client.reload}" on`,
    });
  },
});
