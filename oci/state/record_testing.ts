/** A record of a container, for tests. */

import { type ContainerRecord, NO_PROCESS, RECORD_VERSION } from "./record.ts";

export function recordOf(id: string, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    version: RECORD_VERSION,
    id,
    ociVersion: "1.2.0",
    bundle: "/b",
    rootfs: "/b/rootfs",
    created: "2024-01-02T03:04:05Z",
    annotations: {},
    owner: "root",
    status: "created",
    isChanging: false,
    creator: NO_PROCESS,
    init: NO_PROCESS,
    sandboxId: id,
    sentry: NO_PROCESS,
    gofer: NO_PROCESS,
    cgroup: null,
    hooks: null,
    terminal: false,
    namespaces: {},
    ...change,
  };
}
