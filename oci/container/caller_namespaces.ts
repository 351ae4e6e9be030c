/**
 * The host namespaces of a container whose caller has too little privilege for those of
 * config.json. The guest has all its namespaces from the sandbox's kernel in any case.
 *
 * - A caller that can make user namespaces gets one for the container, in which the caller is user
 *   0. Linux gives the others to it then. runc demands that config.json has it.
 * - A caller that can make none, as in a container of Docker, gets no host namespace: the proxy is
 *   an ordinary process, which clients cannot enter.
 *
 * Neighbour: host_namespaces.ts opens what is chosen here.
 */

import { SYS_getegid, SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { type NamespacePower, namespacePower } from "../host/privileges.ts";
import type { LinuxConfig, NamespaceEntry } from "../spec/linux_section.ts";

interface CallerNamespaces {
  /** With the user namespace that was added, and its mappings. */
  readonly linux: LinuxConfig;
  /** Namespaces of the host that the proxy makes or enters. */
  readonly ofProxy: readonly NamespaceEntry[];
}

/** @param power of the caller */
export function callerNamespaces(
  linux: LinuxConfig,
  power: () => NamespacePower = namespacePower,
): CallerNamespaces {
  const hasUsers = linux.namespaces.some(({ type }) => type === "user");
  const found = linux.namespaces.length === 0 ? "full" : power();
  if (found === "full" || found === "users" && hasUsers) {
    return { linux, ofProxy: linux.namespaces };
  }
  if (found === "users") {
    const added = withOwnUsers(linux);
    return { linux: added, ofProxy: added.namespaces };
  }
  return { linux, ofProxy: linux.namespaces.filter(({ path }) => path !== null) };
}

/** Without privilege one id alone can be mapped, the caller's. */
function withOwnUsers(linux: LinuxConfig): LinuxConfig {
  const mapping = (hostId: number) => [{ containerId: 0, hostId, size: 1 }];
  return {
    ...linux,
    namespaces: [...linux.namespaces, { type: "user", path: null }],
    uidMappings: mapping(syscall(SYS_geteuid)),
    gidMappings: mapping(syscall(SYS_getegid)),
  };
}
