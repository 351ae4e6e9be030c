/** The OCI state of a container (runtime.md, "State"), for `state` and for hooks. */

import type { ContainerRecord, Status } from "../state/record.ts";

interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly status: Status;
  /** On the host; 0 after its end. */
  readonly pid: number;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** With the members that runc adds. */
export interface ListedState extends OciState {
  readonly rootfs: string;
  readonly created: string;
  readonly owner: string;
}

export function ociState(record: ContainerRecord, status: Status): OciState {
  const { ociVersion, id, bundle, annotations } = record;
  const pid = status === "stopped" ? 0 : record.init.pid;
  return { ociVersion, id, status, pid, bundle, annotations };
}

export function listedState(record: ContainerRecord, now: Status): ListedState {
  const { ociVersion, id, status, pid, bundle, annotations } = ociState(record, now);
  const { rootfs, created, owner } = record;
  return { ociVersion, id, pid, status, bundle, rootfs, created, annotations, owner };
}
