/** `dvisor sandbox`: makes a sandbox for a library, which uses it by the session protocol. */

import { readHello, refuse, requireChannel } from "../../launch/session/owner_channel.ts";
import { readCreateRequest } from "../../launch/session/create_request.ts";
import { runSession } from "../../launch/session/session_sandbox.ts";
import { callerLimits } from "../caller.ts";
import { errorOf } from "../../protocol/request_error.ts";
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
      refuse(errorOf(error));
      throw error;
    }
  },
});
