/** buildah with dvisor as the runtime of its steps, and with runc to prove the checks right. */

import { testEngine } from "./engines/apart.ts";

testEngine("buildah", ["buildah", "iptables"]);
