/**
 * containerd's own client with dvisor as the runtime of its shim, and with runc to prove the checks
 * right.
 */

import { testEngine } from "./engines/apart.ts";

testEngine("ctr", ["containerd", "containerd-shim-runc-v2", "ctr"]);
