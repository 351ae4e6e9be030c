/**
 * A new network namespace for a container whose kernel keeps capabilities for it: it belongs to a user namespace that is
 * there for it alone, so that the kernel of the sandbox has them in there, and over nothing else of the host. In a namespace
 * that others have made they count only among the host's own users: sentry_process.ts.
 *
 * DIFFERS from one of the host's users: some settings of /proc/sys/net are not in it. Who asks for one of those in
 * config.json gets the other kind.
 */

import { close } from "../../ffi/sys/files.ts";
import { makeUsers } from "../launch/own_users.ts";
import { networkOf as sentryNetwork } from "../launch/sandbox_processes.ts";
import { networkCapabilities } from "../launch/sentry_process.ts";
import { setHostSettings } from "../host/network_settings.ts";
import { UserError } from "../user_error.ts";
import { hasOwnUsers } from "./host_namespaces.ts";
import { type CreateOptions, networkOf } from "./container_creation.ts";

/** @returns its descriptor, with the settings of config.json; -1: the namespace is to be made as the others are */
export function openOwnNetwork({ bundle, settings }: CreateOptions): number {
  const { linux, process } = bundle.config;
  const isNew = linux.namespaces.some(({ type, path }) => type === "network" && path === null);
  if (!isNew || Deno.uid() !== 0 || hasOwnUsers(linux.namespaces)) return -1;
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
    // That there are none is said where the sandbox starts.
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
