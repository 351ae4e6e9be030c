/** `dvisor sandbox`: makes a sandbox for a library, which uses it by the session protocol. */

import { readHello, refuse, requireChannel } from "../../launch/session/owner_channel.ts";
import { IdInUseError } from "../../launch/session/socket_directory.ts";
import { readCreateRequest } from "../../launch/session/create_request.ts";
import { runSession } from "../../launch/session/session_sandbox.ts";
import { EXIT_USAGE, explain, UserError } from "../../user_error.ts";
import { callerLimits } from "../caller.ts";
import type { ErrorCode } from "../../protocol/session/messages.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "sandbox",
  summary: "make a sandbox for a library",
  usage: [""],
  description: "Makes a sandbox for a library: standard input and output carry the session " +
    "protocol (docs/protocol.md), whose first message describes the sandbox. The sandbox ends " +
    "with standard input, unless it is persistent.",
  options: {},
  run() {
    requireChannel();
    try {
      return runSession(readCreateRequest(readHello()), callerLimits());
    } catch (error) {
      refuse({ code: codeOf(error), message: explain(error) });
      throw error;
    }
  },
});

function codeOf(error: unknown): ErrorCode {
  if (error instanceof IdInUseError) return "AlreadyExists";
  const isUsage = error instanceof UserError && error.exitCode === EXIT_USAGE;
  return isUsage ? "InvalidArgument" : "Failed";
}
