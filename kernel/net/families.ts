/** The address families of a sandbox. */

import { AF_UNIX } from "../../ffi/abi/socket.ts";
import type { NetNamespace } from "./net_namespace.ts";
import { UnixFamily } from "./unix/family.ts";

export function registerFamilies(net: NetNamespace): void {
  net.register(AF_UNIX, new UnixFamily(net));
}
