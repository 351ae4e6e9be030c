/**
 * Structures of bpf.ts, io_uring.ts and epoll.ts with their C types and the names that C has for
 * their fields: a part of probe_registry_testing.ts.
 */

import * as bpf from "./bpf.ts";
import * as epoll from "./epoll.ts";
import * as ioUring from "./io_uring.ts";
import type { Fields, Layout } from "./layout.ts";

type Renames = Readonly<Record<string, string>>;

const UNION = "union bpf_attr";

export const MORE_LAYOUTS: readonly (readonly [Layout<Fields>, string, Renames])[] = [
  [bpf.BpfLoad, UNION, {
    progType: "prog_type",
    insnCnt: "insn_cnt",
    logLevel: "log_level",
    logSize: "log_size",
    logBuf: "log_buf",
    kernVersion: "kern_version",
    progFlags: "prog_flags",
    progName: "prog_name",
    progIfindex: "prog_ifindex",
    expectedAttachType: "expected_attach_type",
    rest: "",
  }],
  [bpf.BpfAttach, UNION, {
    targetFd: "target_fd",
    attachBpfFd: "attach_bpf_fd",
    attachType: "attach_type",
    attachFlags: "attach_flags",
    replaceBpfFd: "replace_bpf_fd",
    rest: "",
  }],
  [bpf.BpfQuery, UNION, {
    targetFd: "query.target_fd",
    attachType: "query.attach_type",
    queryFlags: "query.query_flags",
    attachFlags: "query.attach_flags",
    progIds: "query.prog_ids",
    progCnt: "query.prog_cnt",
    reserved: "",
    progAttachFlags: "query.prog_attach_flags",
    rest: "",
  }],
  [ioUring.IoUringBufReg, "struct io_uring_buf_reg", {
    ringAddr: "ring_addr",
    ringEntries: "ring_entries",
    minLeft: "",
  }],
  [epoll.EpollParams, "struct epoll_params", {
    busyPollUsecs: "busy_poll_usecs",
    busyPollBudget: "busy_poll_budget",
    preferBusyPoll: "prefer_busy_poll",
    pad: "__pad",
  }],
];
