/** Requests of userfaultfd(2): what works, shown by which guest test. See flag_set.ts. */

import { by, type FlagSet, flagSet } from "./flag_set.ts";

export const USERFAULTFD_FLAGS: readonly FlagSet[] = [
  flagSet("ioctl (userfaultfd)", "request", [
    by("userfaults.nothing_works_before_the_handshake", "UFFDIO_API"),
    by("userfaults.ranges_that_cannot_be_registered", "UFFDIO_REGISTER"),
    by("userfaults.copies_fill_what_is_missing", "UFFDIO_COPY"),
    by("userfaults.writes_to_protected_pages", "UFFDIO_WRITEPROTECT"),
    by("userfaults.pages_of_the_file_shown_one_by_one", "UFFDIO_CONTINUE"),
  ]),
];
