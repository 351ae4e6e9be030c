/**
 * The requests of a kubelet over containerd's CRI socket, with dvisor as the runtime, and with runc
 * to prove the checks right.
 */

import { testEngine } from "./engines/apart.ts";
import { protocolFile } from "./cri/bridge.ts";

function lacking(): string | null {
  const has = protocolFile() !== null && exists("/usr/lib/cni/bridge");
  return has
    ? null
    : "no golang-github-kubernetes-cri-api-dev or containernetworking-plugins on this machine";
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

testEngine("cri", ["containerd", "containerd-shim-runc-v2", "ctr", "python3"], { lacking });
