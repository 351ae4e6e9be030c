/**
 * Messages, groups and options of netlink sockets that work, each with the guest test that shows
 * it.
 */

import { by, type FlagSet, flagSet } from "../../syscalls/flags/flag_set.ts";

export const NETLINK_FLAGS: readonly FlagSet[] = [
  flagSet("sendto sendmsg (NETLINK_ROUTE)", "message", [
    by("netlink_route.a_new_link_is_announced", "RTM_NEWLINK"),
    by("netlink_route.a_deleted_link_is_announced", "RTM_DELLINK"),
    by("netlink_route.added_and_deleted_addresses_are_announced", "RTM_NEWADDR RTM_DELADDR"),
    by("netlink_route.added_and_deleted_routes_are_announced", "RTM_NEWROUTE RTM_DELROUTE"),
    by("netlink_route.neighbours_are_added_and_deleted", "RTM_NEWNEIGH RTM_DELNEIGH RTM_GETNEIGH"),
    by("netlink_route.rules_of_a_new_namespace_can_be_listed", "RTM_GETRULE"),
  ]),
  flagSet("sendto sendmsg (NETLINK_SOCK_DIAG)", "message", [
    by("sock_diag.connections_are_listed_with_their_queues", "SOCK_DIAG_BY_FAMILY"),
    by("sock_diag.a_connection_can_be_destroyed", "SOCK_DESTROY"),
  ]),
  flagSet("setsockopt getsockopt (SOL_NETLINK)", "option", [
    by(
      "netlink_route.membership_is_listed",
      "NETLINK_ADD_MEMBERSHIP NETLINK_DROP_MEMBERSHIP NETLINK_LIST_MEMBERSHIPS",
    ),
    by("netlink_route.an_extended_error_has_a_text", "NETLINK_EXT_ACK"),
  ]),
  flagSet("bind (NETLINK_CONNECTOR)", "operation", [
    by("process_events.listening_is_acknowledged_to_the_group", "PROC_CN_MCAST_LISTEN"),
    by("process_events.a_listener_that_ignores_receives_nothing", "PROC_CN_MCAST_IGNORE"),
  ]),
];
