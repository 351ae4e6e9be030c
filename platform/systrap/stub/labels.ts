/** Names of places in the stub's text that more than one file needs. */

export const LABELS = {
  /** First instruction of the zygote. */
  zygote: "zygote",
  /** Where a thunk jumps to. */
  fast: "fast",
  /** Where a new thread goes, as if it had posted on the fast path. */
  fastWait: "fast_wait",
  /** Behind the call by which the fast path gets a signal frame: the guest's registers are in the slot. */
  save: "save",
  /** The ways back to the guest: start, first instruction after the look at `kick`, end. */
  tails: [
    ["tail_ret", "tail_ret_body", "tail_ret_end"],
    ["tail_load", "tail_load_body", "tail_load_end"],
  ],
} as const;
