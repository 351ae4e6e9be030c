/**
 * PAGEMAP_SCAN of ioctl(2) on /proc/PID/pagemap.
 *
 * From linux/fs.h.
 */

import { layout } from "./layout.ts";

export const PAGEMAP_SCAN = 0xc0606610;

/** `struct pm_scan_arg`. */
export const PmScanArg = /* @__PURE__ */ layout("pm_scan_arg", {
  size: "u64",
  flags: "u64",
  start: "u64",
  end: "u64",
  walkEnd: "u64",
  vec: "u64",
  vecLen: "u64",
  maxPages: "u64",
  categoryInverted: "u64",
  categoryMask: "u64",
  categoryAnyofMask: "u64",
  returnMask: "u64",
});

/** `struct page_region`, of which `vec` has room for `vecLen`. */
export const PageRegion = /* @__PURE__ */ layout("page_region", {
  start: "u64",
  end: "u64",
  categories: "u64",
});

export const PM_SCAN_WP_MATCHING = 1;
export const PM_SCAN_CHECK_WPASYNC = 2;
export const PAGE_IS_WPALLOWED = 1;
export const PAGE_IS_WRITTEN = 2;
export const PAGE_IS_FILE = 4;
export const PAGE_IS_PRESENT = 8;
export const PAGE_IS_SWAPPED = 0x10;
export const PAGE_IS_PFNZERO = 0x20;
export const PAGE_IS_HUGE = 0x40;
export const PAGE_IS_SOFT_DIRTY = 0x80;
