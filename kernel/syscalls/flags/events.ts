/** The supported flags of poll, inotify and eventfd, each with its guest test. See flag_set.ts. */

import { each, type FlagSet, flagSet } from "./flag_set.ts";

export const EVENTS_FLAGS: readonly FlagSet[] = [
  flagSet("poll ppoll", "events", [
    each(
      "flags_events.polls",
      `POLLIN POLLPRI POLLOUT POLLERR POLLHUP POLLNVAL POLLRDNORM POLLRDBAND POLLWRNORM
POLLWRBAND POLLMSG POLLRDHUP`,
    ),
  ]),
  flagSet("eventfd2", "flags", [
    each("flags_events.eventfds", "EFD_SEMAPHORE EFD_NONBLOCK EFD_CLOEXEC"),
  ]),
  flagSet("inotify_init1", "flags", [
    each("flags_events.inotify_flags", "IN_NONBLOCK IN_CLOEXEC"),
  ]),
  flagSet("inotify_add_watch", "mask", [
    each(
      "flags_events.inotify_events",
      `IN_ACCESS IN_MODIFY IN_ATTRIB IN_CLOSE_WRITE IN_CLOSE_NOWRITE IN_OPEN IN_MOVED_FROM
IN_MOVED_TO IN_CREATE IN_DELETE IN_DELETE_SELF IN_MOVE_SELF IN_ONLYDIR IN_DONT_FOLLOW
IN_EXCL_UNLINK IN_MASK_CREATE IN_MASK_ADD IN_ONESHOT IN_ALL_EVENTS`,
    ),
  ]),
];
