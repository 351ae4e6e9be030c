/**
 * The supported rights, rules and scopes of landlock(7), with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const LANDLOCK_FLAGS: readonly FlagSet[] = [
  flagSet("landlock_create_ruleset", "flags", [
    by("landlock.create_returns_the_version", "LANDLOCK_CREATE_RULESET_VERSION", "version 6"),
  ]),
  flagSet("landlock_add_rule", "rule_type", [
    by("landlock.path_rules_check_their_arguments", "LANDLOCK_RULE_PATH_BENEATH"),
    by("landlock.port_rules_check_their_arguments", "LANDLOCK_RULE_NET_PORT"),
  ]),
  flagSet("landlock_create_ruleset", "handled_access_fs", [
    by("landlock_files.programs", "LANDLOCK_ACCESS_FS_EXECUTE"),
    by(
      "landlock_files.reading_and_writing",
      "LANDLOCK_ACCESS_FS_WRITE_FILE LANDLOCK_ACCESS_FS_READ_FILE LANDLOCK_ACCESS_FS_READ_DIR",
    ),
    by(
      "landlock_files.rights_to_remove",
      "LANDLOCK_ACCESS_FS_REMOVE_DIR LANDLOCK_ACCESS_FS_REMOVE_FILE",
    ),
    by(
      "landlock_files.rights_to_make",
      `LANDLOCK_ACCESS_FS_MAKE_REG LANDLOCK_ACCESS_FS_MAKE_DIR LANDLOCK_ACCESS_FS_MAKE_SYM
LANDLOCK_ACCESS_FS_MAKE_FIFO LANDLOCK_ACCESS_FS_MAKE_SOCK`,
    ),
    by(
      "landlock_files.rights_to_make_devices",
      "LANDLOCK_ACCESS_FS_MAKE_CHAR LANDLOCK_ACCESS_FS_MAKE_BLOCK",
    ),
    by("landlock_files.refer_with_rights", "LANDLOCK_ACCESS_FS_REFER"),
    by("landlock_files.truncation", "LANDLOCK_ACCESS_FS_TRUNCATE"),
    by("landlock_files.requests_on_devices", "LANDLOCK_ACCESS_FS_IOCTL_DEV"),
  ]),
  flagSet("landlock_create_ruleset", "handled_access_net", [
    by("landlock.tcp_ports", "LANDLOCK_ACCESS_NET_BIND_TCP LANDLOCK_ACCESS_NET_CONNECT_TCP"),
  ]),
  flagSet("landlock_create_ruleset", "scoped", [
    by("landlock.abstract_names_stay_within_the_scope", "LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET"),
    by("landlock.signals_stay_within_the_scope", "LANDLOCK_SCOPE_SIGNAL"),
  ]),
];
