/** `dvisor sandbox`: makes a sandbox for a library, which uses it by the session protocol. */

import { readFlags, refuseRest } from "../../options/flags.ts";
import { readHello, refuse, requireChannel } from "../../launch/session/owner_channel.ts";
import { readCreateRequest } from "../../launch/session/create_request.ts";
import { runSession } from "../../launch/session/session_sandbox.ts";
import { EXIT_USAGE, explain, UserError } from "../../user_error.ts";
import type { Command } from "../command.ts";

const HELP = `Usage: dvisor sandbox

Makes a sandbox for a library: standard input and output carry the session protocol
(docs/protocol.md), whose first message describes the sandbox. The sandbox ends with standard
input, unless it is persistent.`;

export const command: Command = {
  help: HELP,
  run(args) {
    refuseRest(readFlags(args, {}));
    requireChannel();
    try {
      return runSession(readCreateRequest(readHello()));
    } catch (error) {
      const isUsage = error instanceof UserError && error.exitCode === EXIT_USAGE;
      refuse({ code: isUsage ? "InvalidArgument" : "Failed", message: explain(error) });
      throw error;
    }
  },
};
