/**
 * A new network namespace for a container whose kernel keeps capabilities. It belongs to a user
 * namespace that owns nothing else, so the kernel's capabilities count in that network only. In a
 * namespace that another program has made they count only among the host's own users
 * (launch/sentry_process.ts).
 *
 * DIFFERS: some settings of /proc/sys/net exist only in network namespaces of the host's user
 * namespace. A container whose config.json sets one gets such a namespace.
 */

import { close } from "../../ffi/sys/files.ts";
import { makeUsers } from "../launch/own_users.ts";
import { networkOf as sentryNetwork } from "../launch/sandbox_processes.ts";
import { networkCapabilities } from "../launch/sentry_process.ts";
import { setHostSettings } from "../host/network_settings.ts";
import { UserError } from "../user_error.ts";
import { hasOwnUsers } from "./host_namespaces.ts";
import { type CreateOptions, networkOf } from "./container_creation.ts";

/**
 * @returns a descriptor of the namespace, with the settings of config.json; -1 if the proxy is to
 * make it
 */
export function openOwnNetwork({ bundle, settings }: CreateOptions): number {
  const { config: { linux, process }, hostNamespaces } = bundle;
  const isNew = hostNamespaces.some(({ type, path }) => type === "network" && path === null);
  if (!isNew || Deno.uid() !== 0 || hasOwnUsers(hostNamespaces)) return -1;
  const { isHost, capabilities } = sentryNetwork({
    network: networkOf(bundle, settings),
    process,
  });
  if (!isHost || networkCapabilities(capabilities).length === 0) return -1;
  let network = -1;
  try {
    const made = makeUsers(null, true);
    network = made.network;
    close(made.users);
  } catch {
    // The start of the sandbox reports that there are no user namespaces.
    return -1;
  }
  try {
    setHostSettings(network, linux.sysctl);
    return network;
  } catch (error) {
    close(network);
    if (error instanceof UserError) return -1;
    throw error;
  }
}
