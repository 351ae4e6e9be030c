/**
 * For tests: the worker that testing.ts starts. It serves one connection and posts the server's
 * report.
 */

import { DEFAULT_POLICY, openRoot } from "../backend/export_root.ts";
import { GoferServer } from "./server.ts";
import { Service } from "./service.ts";
import type { WorkerOrder } from "./testing.ts";

function serve(order: WorkerOrder): void {
  const policy = {
    donateDirectories: order.donateDirectories ?? DEFAULT_POLICY.donateDirectories,
    devices: order.devices ?? DEFAULT_POLICY.devices,
    squash: order.squash ?? DEFAULT_POLICY.squash,
  };
  const service = new Service({
    roots: order.roots.map((r) => openRoot(r.path, r.isReadOnly, r)),
    policy,
    ...(order.msizeMax === undefined ? {} : { msizeMax: order.msizeMax }),
    ...(order.fidsMax === undefined ? {} : { fidsMax: order.fidsMax }),
  });
  const lines: string[] = [];
  const server = new GoferServer(service, (line) => lines.push(line));
  server.spins = order.spins ?? 0;
  server.addConnection(order.fd, true);
  server.run();
  server.close();
  service.close();
  postMessage(lines.join("\n"));
}

addEventListener("message", (e) => {
  if (e instanceof MessageEvent) serve(e.data);
});

declare function postMessage(message: string): void;
