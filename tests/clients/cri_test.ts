/** What a kubelet asks for, over containerd's CRI socket, of dvisor, and of runc to prove the checks right. */

import { testEngine } from "./engines/apart.ts";
import { PROTO } from "./cri/bridge.ts";

function lacking(): string | null {
  try {
    Deno.statSync(PROTO);
    Deno.statSync("/usr/lib/cni/bridge");
    return null;
  } catch {
    return "no golang-github-kubernetes-cri-api-dev or containernetworking-plugins on this machine";
  }
}

testEngine("cri", ["containerd", "containerd-shim-runc-v2", "ctr", "python3"], { lacking });
