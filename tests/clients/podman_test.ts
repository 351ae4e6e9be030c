/**
 * Podman as root with dvisor as its runtime, and with runc to prove the checks right. The short
 * sample runs always.
 */

import { testEngine } from "./engines/apart.ts";

testEngine("podman", ["podman", "conmon", "iptables"], { hasSample: true });
