/**
 * Requests of a session about snapshots in the memory of its sandbox
 * (boot/snapshot/snapshot_store.ts).
 */

import type { JsonNode } from "../../json_node.ts";
import { errorOf } from "../../protocol/request_error.ts";
import { SNAPSHOT_NAME_MAX } from "../../protocol/session/limits.ts";
import type { SnapshotInfo } from "../../protocol/session/messages.ts";
import type { UserError } from "../../user_error.ts";
import type { SnapshotStore, TakenListener } from "../snapshot/snapshot_store.ts";
import { Channel, type ChannelPort } from "./channel.ts";

export interface RollbackListener {
  /** Its requests end but this one. */
  readonly port: ChannelPort;
  onRolledBack(): void;
  onFailed(error: UserError): void;
}

export interface RolledBackSandbox {
  readonly snapshots: SnapshotStore;
  /** @throws UserError if it cannot begin */
  takeSnapshot(name: string, listener: TakenListener): void;
  /** @throws UserError if it cannot begin */
  rollBack(snapshot: number, listener: RollbackListener): void;
}

/** @throws UserError */
export function readSnapshot(request: JsonNode): number {
  return request.member("snapshot").integer(1, Number.MAX_SAFE_INTEGER);
}

export class SnapshotChannel extends Channel implements TakenListener {
  /** @throws UserError */
  constructor(sandbox: RolledBackSandbox, port: ChannelPort, request: JsonNode) {
    super(port);
    const name = request.member("name").optional("", (node) => {
      const text = node.string();
      return text.length <= SNAPSHOT_NAME_MAX
        ? text
        : node.expected(`at most ${SNAPSHOT_NAME_MAX} characters`);
    });
    sandbox.takeSnapshot(name, this);
  }

  onTaken(snapshot: SnapshotInfo): void {
    this.port.result(snapshot);
  }

  onFailed(error: UserError): void {
    this.port.fail(errorOf(error));
  }

  /** The snapshot is taken without a client, too. */
  override onGone(): void {}
}

export class RollbackChannel extends Channel implements RollbackListener {
  override readonly port: ChannelPort;

  /** @throws UserError */
  constructor(sandbox: RolledBackSandbox, port: ChannelPort, request: JsonNode) {
    super(port);
    this.port = port;
    sandbox.rollBack(readSnapshot(request), this);
  }

  onRolledBack(): void {
    this.port.result({});
  }

  onFailed(error: UserError): void {
    this.port.fail(errorOf(error));
  }

  /** The sandbox goes back without a client, too. */
  override onGone(): void {}
}
