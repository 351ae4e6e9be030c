/**
 * eBPF programs, as far as device control groups need them: bpf(2).
 *
 * From linux/bpf.h.
 */

import { layout } from "./layout.ts";

export const BPF_PROG_LOAD = 5;
export const BPF_PROG_ATTACH = 8;
export const BPF_PROG_DETACH = 9;
export const BPF_PROG_GET_NEXT_ID = 11;
export const BPF_PROG_GET_FD_BY_ID = 13;
export const BPF_OBJ_GET_INFO_BY_FD = 15;
export const BPF_PROG_QUERY = 16;

export const BPF_PROG_TYPE_CGROUP_SKB = 8;
export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_INET_INGRESS = 0;
export const BPF_CGROUP_INET_EGRESS = 1;
export const BPF_CGROUP_DEVICE = 6;
export const BPF_F_ALLOW_OVERRIDE = 1;
export const BPF_F_ALLOW_MULTI = 2;
export const BPF_F_REPLACE = 4;
export const BPF_F_QUERY_EFFECTIVE = 1;
/** Flags of BPF_PROG_LOAD that make the verifier stricter, or laxer for unaligned addresses. */
export const BPF_F_STRICT_ALIGNMENT = 1;
export const BPF_F_ANY_ALIGNMENT = 2;

export const BPF_DEVCG_ACC_MKNOD = 1;
export const BPF_DEVCG_ACC_READ = 2;
export const BPF_DEVCG_ACC_WRITE = 4;
export const BPF_DEVCG_DEV_BLOCK = 1;
export const BPF_DEVCG_DEV_CHAR = 2;

/** `union bpf_attr` of 6.12 for each command; `rest`: the fields that this file does not name. */
export const BpfLoad = /* @__PURE__ */ layout("bpf_attr of loading", {
  progType: "u32",
  insnCnt: "u32",
  insns: "u64",
  license: "u64",
  logLevel: "u32",
  logSize: "u32",
  logBuf: "u64",
  kernVersion: "u32",
  progFlags: "u32",
  progName: ["u8", 16],
  progIfindex: "u32",
  expectedAttachType: "u32",
  rest: ["u8", 80],
});
export const BpfAttach = /* @__PURE__ */ layout("bpf_attr of attaching", {
  targetFd: "u32",
  attachBpfFd: "u32",
  attachType: "u32",
  attachFlags: "u32",
  replaceBpfFd: "u32",
  rest: ["u8", 132],
});
export const BpfQuery = /* @__PURE__ */ layout("bpf_attr of asking", {
  targetFd: "u32",
  attachType: "u32",
  queryFlags: "u32",
  attachFlags: "u32",
  progIds: "u64",
  progCnt: "u32",
  reserved: "u32",
  progAttachFlags: "u64",
  rest: ["u8", 112],
});
