/**
 * The request `checkpoint` of a session: saves the sandbox, or a snapshot in its memory, in a file.
 * The descriptor of the file comes with the request, as the reading end of a pipe does
 * (control_protocol.ts says what that is for).
 */

import type { JsonNode } from "../../json_node.ts";
import type { CheckpointOptions } from "../../protocol/control_protocol.ts";
import { readCheckpointOptions } from "../../protocol/control_requests.ts";
import { errorOf, RequestError } from "../../protocol/request_error.ts";
import type { UserError } from "../../user_error.ts";
import type { RequestFds } from "../control/control_server.ts";
import { type SaveListener, Verdict } from "../snapshot/checkpoint.ts";
import { ImageFile } from "../snapshot/image_file.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import { readSnapshot } from "./snapshot_channels.ts";

/** Each call owns the files. @throws UserError if it cannot begin */
export interface SavedSandbox {
  checkpoint(
    options: CheckpointOptions,
    file: ImageFile,
    verdict: Verdict,
    listener: SaveListener,
  ): void;
  /** Saves a snapshot. The sandbox goes on. */
  saveSnapshot(
    snapshot: number,
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
    const options = readCheckpointOptions(request),
      isOfMemory = !request.member("snapshot").isAbsent;
    const snapshot = isOfMemory ? readSnapshot(request) : null;
    if (isOfMemory && !options.leaveRunning) {
      throw new RequestError(
        "InvalidArgument",
        "leaveRunning is false, but a sandbox does not end with a snapshot of its memory",
      );
    }
    fds.require(2);
    const file = new ImageFile(fds.take(0)), verdict = new Verdict(fds.take(1));
    if (snapshot === null) sandbox.checkpoint(options, file, verdict, this);
    else sandbox.saveSnapshot(snapshot, options, file, verdict, this);
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
