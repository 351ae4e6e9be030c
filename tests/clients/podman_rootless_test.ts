/**
 * Podman as an ordinary user with dvisor as its runtime, and with runc to prove the checks right.
 */

import { noUsers } from "../harness/machine.ts";
import { testEngine } from "./engines/apart.ts";
import { noRootless } from "./podman/rootless.ts";

const COMMANDS = ["podman", "conmon", "newuidmap", "setpriv", "pasta", "iptables"];

testEngine("rootless", COMMANDS, { lacking: () => noRootless() ?? noUsers });
