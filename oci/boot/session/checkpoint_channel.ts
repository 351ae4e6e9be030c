/**
 * The request `checkpoint` of a session: saves the sandbox in a file, whose descriptor comes with
 * the request, as the reading end of a pipe does (control_protocol.ts says what that is for).
 */

import type { JsonNode } from "../../json_node.ts";
import type { CheckpointOptions } from "../../protocol/control_protocol.ts";
import { readCheckpointOptions } from "../../protocol/control_requests.ts";
import { errorOf } from "../../protocol/request_error.ts";
import type { UserError } from "../../user_error.ts";
import type { RequestFds } from "../control/control_server.ts";
import { type SaveListener, Verdict } from "../snapshot/checkpoint.ts";
import { ImageFile } from "../snapshot/image_file.ts";
import { Channel, type ChannelPort } from "./channel.ts";

interface SavedSandbox {
  checkpoint(
    options: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void;
}

export class CheckpointChannel extends Channel implements SaveListener {
  /** @throws UserError */
  constructor(sandbox: SavedSandbox, port: ChannelPort, request: JsonNode, fds: RequestFds) {
    super(port);
    const options = readCheckpointOptions(request);
    fds.require(2);
    sandbox.checkpoint(options, new ImageFile(fds.take(0)), new Verdict(fds.take(1)), this);
  }

  onSaved(bytes: number): void {
    this.port.result({ bytes });
    // Nothing else is sent before the world goes on.
    this.port.flush();
  }

  onFailed(error: UserError): void {
    this.port.fail(errorOf(error));
  }

  /** The pipe ends with the client, too. */
  override onGone(): void {}
}
