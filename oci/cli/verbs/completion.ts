/** `dvisor completion SHELL`. */

import { usageError } from "../../user_error.ts";
import { type Commands, defineCommand } from "../command.ts";
import { bashScript } from "../manual/completion/bash.ts";
import { fishScript } from "../manual/completion/fish.ts";
import { zshScript } from "../manual/completion/zsh.ts";

const SCRIPTS: Readonly<Record<string, (verbs: Commands) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};
const SHELLS = Object.keys(SCRIPTS);

/** @param verbs returns the table of verbs, which contains this command */
export const completionCommand = (verbs: () => Commands) =>
  defineCommand({
    name: "completion",
    summary: "print a script that completes command lines",
    usage: ["bash|zsh|fish"],
    operands: [SHELLS],
    description: "Prints a script for a shell that completes verbs, options, their values and " +
      "the ids of containers. To have it in bash and zsh: source <(dvisor completion bash). In " +
      "fish: dvisor completion fish | source",
    options: {},
    run({ rest: [shell] }) {
      const isKnown = shell !== undefined && SHELLS.includes(shell);
      const script = isKnown ? SCRIPTS[shell] : undefined;
      if (script === undefined) throw usageError(`completion needs a shell: ${SHELLS.join(", ")}`);
      Deno.stdout.writeSync(new TextEncoder().encode(script(verbs())));
      return 0;
    },
  });
