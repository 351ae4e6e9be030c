/**
 * Security modules: lsm_list_modules(2), lsm_get_self_attr(2), lsm_set_self_attr(2).
 *
 * From linux/lsm.h.
 */

import { layout } from "./layout.ts";

export const LSM_ID_UNDEF = 0;
export const LSM_ID_CAPABILITY = 100;
export const LSM_ID_LANDLOCK = 110;
export const LSM_ATTR_UNDEF = 0;
export const LSM_FLAG_SINGLE = 1;

/** `struct lsm_ctx`, without the context behind it. */
export const LsmCtx = /* @__PURE__ */ layout("lsm_ctx", {
  id: "u64",
  flags: "u64",
  len: "u64",
  ctxLen: "u64",
});
