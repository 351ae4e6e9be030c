/**
 * The supported operations of keyctl(2) and types of keys, with the guest test of each. See
 * syscalls/flags/flag_set.ts.
 */

import { by, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const KEYS_FLAGS: readonly FlagSet[] = [
  flagSet("keyctl", "operation", [
    by("keyrings.keyrings_of_users", "KEYCTL_GET_KEYRING_ID"),
    by("key_sessions.named_sessions_are_joined", "KEYCTL_JOIN_SESSION_KEYRING"),
    by("keyrings.update", "KEYCTL_UPDATE"),
    by("keyrings.revoked_keys", "KEYCTL_REVOKE"),
    by("keyrings.owners_change", "KEYCTL_CHOWN"),
    by("keyrings.operations_check_rights", "KEYCTL_SETPERM"),
    by("keyrings.keys_are_read_and_described", "KEYCTL_DESCRIBE KEYCTL_READ"),
    by("keyrings.clear", "KEYCTL_CLEAR"),
    by("keyrings.link_and_unlink", "KEYCTL_LINK KEYCTL_UNLINK"),
    by("keyrings.search", "KEYCTL_SEARCH"),
    by("keyrings.move", "KEYCTL_MOVE"),
    by("keyrings.keys_expire", "KEYCTL_SET_TIMEOUT"),
    by("keyrings.an_invalidated_key_is_removed", "KEYCTL_INVALIDATE"),
    by("key_sessions.the_keyring_for_requested_keys_is_set", "KEYCTL_SET_REQKEY_KEYRING"),
    by("key_sessions.security_labels_are_empty", "KEYCTL_GET_SECURITY"),
    by("key_sessions.persistent_keyrings", "KEYCTL_GET_PERSISTENT"),
    by("key_sessions.restricted_keyrings", "KEYCTL_RESTRICT_KEYRING"),
    by("key_sessions.capabilities", "KEYCTL_CAPABILITIES"),
    by("key_sessions.a_parent_takes_the_session_of_its_child", "KEYCTL_SESSION_TO_PARENT"),
  ]),
  flagSet("add_key", "type", [
    by("keyrings.keys_are_read_and_described", "user"),
    by("keyrings.logon_keys_are_not_read", "logon"),
    by("keyrings.big_keys_hold_much", "big_key"),
    by("keyrings.link_and_unlink", "keyring"),
  ]),
];
