/** Flags, commands and options of sockets that work, each with the guest test that shows it. */

import {
  by,
  each,
  fails,
  type FlagSet,
  flagSet,
  inPart,
  refused,
} from "../../syscalls/flags/flag_set.ts";

export const SOCKETS_FLAGS: readonly FlagSet[] = [
  flagSet("socket", "domain", [
    each("flags_sockets.families", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"),
    refused("EAFNOSUPPORT", "flags_sockets.families", "AF_UNSPEC AF_X25"),
  ]),
  flagSet("socket socketpair", "type", [
    each(
      "flags_sockets.types",
      `SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET SOCK_RAW SOCK_NONBLOCK SOCK_CLOEXEC`,
    ),
    refused("ESOCKTNOSUPPORT", "flags_sockets.types", "SOCK_RDM SOCK_DCCP"),
    fails("ESOCKTNOSUPPORT", "SOCK_PACKET"),
  ]),
  flagSet("socket", "protocol", [
    each(
      "flags_sockets.protocols",
      `IPPROTO_IP IPPROTO_TCP IPPROTO_UDP IPPROTO_UDPLITE IPPROTO_ICMP IPPROTO_RAW NETLINK_ROUTE
NETLINK_SOCK_DIAG`,
    ),
  ]),
  flagSet("setsockopt getsockopt (SOL_SOCKET)", "option", [
    each(
      "flags_sockets.socket_level",
      `SO_DEBUG SO_REUSEADDR SO_TYPE SO_ERROR SO_DONTROUTE SO_BROADCAST SO_SNDBUF SO_RCVBUF
SO_KEEPALIVE SO_OOBINLINE SO_NO_CHECK SO_PRIORITY SO_REUSEPORT SO_PASSCRED SO_PEERCRED
SO_SNDLOWAT SO_RCVTIMEO SO_SNDTIMEO SO_BINDTODEVICE SO_ATTACH_FILTER SO_TIMESTAMP
SO_ACCEPTCONN SO_SNDBUFFORCE SO_RCVBUFFORCE SO_PASSSEC SO_TIMESTAMPNS SO_MARK SO_PROTOCOL
SO_DOMAIN SO_RXQ_OVFL SO_WIFI_STATUS SO_NOFCS SO_LOCK_FILTER SO_SELECT_ERR_QUEUE
SO_BUSY_POLL SO_BPF_EXTENSIONS SO_INCOMING_CPU SO_CNX_ADVICE SO_MEMINFO SO_COOKIE
SO_TIMESTAMP_NEW SO_TIMESTAMPNS_NEW SO_RCVTIMEO_NEW SO_SNDTIMEO_NEW SO_BUF_LOCK SO_RCVMARK
SO_PREFER_BUSY_POLL SO_BUSY_POLL_BUDGET SO_NETNS_COOKIE SO_TXREHASH`,
    ),
    by("reuse_port.a_program_picks_a_socket_by_the_data", "SO_ATTACH_REUSEPORT_CBPF"),
    by(
      "reuse_port.without_a_verdict_the_same_flow_reaches_the_same_socket",
      "SO_DETACH_REUSEPORT_BPF",
    ),
    by("socket_sends.reading_moves_the_peek_offset_back_tcp", "SO_PEEK_OFF"),
    by("socket_sends.zero_copy_sends_are_notified_tcp", "SO_ZEROCOPY"),
    by("socket_sends.times_of_sending", "SO_TXTIME", "no link here has a queue to wait in"),
    by("socket_sends.links_by_index", "SO_BINDTOIFINDEX"),
    by("socket_sends.the_pidfd_comes_last_and_needs_room", "SO_PASSPIDFD"),
    by("socket_sends.so_peerpidfd_returns_a_pidfd_of_the_peer", "SO_PEERPIDFD"),
    by("socket_sends.so_rcvlowat_delays_readiness_tcp", "SO_RCVLOWAT"),
    refused("EINVAL", "flags_sockets.socket_level", "SO_PEERNAME"),
    refused("ENOPROTOOPT", "flags_sockets.socket_level", "SO_PEERSEC"),
    inPart("SO_TIMESTAMPING SO_TIMESTAMPING_NEW", "of datagrams, for the whole socket"),
    inPart("SO_MAX_PACING_RATE", "kept: nothing is slowed down"),
    inPart("SO_DETACH_FILTER", "of datagrams and packets"),
    fails("EINVAL", "SO_ATTACH_BPF", "sockets take no eBPF programs"),
    fails("EOPNOTSUPP", "SO_RESERVE_MEM"),
    inPart("SO_LINGER", "close does not wait: what was written is with the peer"),
    fails(
      "ENOPROTOOPT",
      "SO_ATTACH_REUSEPORT_EBPF SO_DEVMEM_DONTNEED",
    ),
  ]),
  flagSet("setsockopt getsockopt (IPPROTO_TCP)", "option", [
    each(
      "flags_sockets.tcp_level",
      `TCP_NODELAY TCP_CORK TCP_KEEPIDLE TCP_KEEPINTVL TCP_KEEPCNT TCP_LINGER2 TCP_WINDOW_CLAMP
TCP_QUICKACK TCP_REPAIR_QUEUE TCP_THIN_LINEAR_TIMEOUTS TCP_THIN_DUPACK TCP_FASTOPEN TCP_SAVE_SYN
TCP_FASTOPEN_NO_COOKIE TCP_TX_DELAY TCP_IS_MPTCP`,
    ),
    by("tcp_options.a_connect_without_an_answer_times_out_TCP_SYNCNT", "TCP_SYNCNT"),
    by(
      "tcp_options.unacknowledged_data_end_a_connection_after_the_user_timeout",
      "TCP_USER_TIMEOUT",
    ),
    by("tcp_options.deferring_ends_after_some_seconds", "TCP_DEFER_ACCEPT"),
    by("tcp_options.tcp_notsent_lowat_bounds_unsent_data", "TCP_NOTSENT_LOWAT"),
    by("tcp_options.tcp_inq_reports_the_bytes_left_to_read", "TCP_INQ"),
    by("tcp_options.tcp_save_syn_keeps_the_syn", "TCP_SAVED_SYN"),
    by("tcp_options.tcp_fastopen_connect_connects_at_the_first_write", "TCP_FASTOPEN_CONNECT"),
    by("tcp_options.a_listener_has_a_key", "TCP_FASTOPEN_KEY"),
    by("tcp_options.an_unknown_protocol_name_is_refused", "TCP_CC_INFO"),
    refused("EINVAL", "flags_sockets.tcp_level", "TCP_MD5SIG"),
    inPart("TCP_MAXSEG TCP_CONGESTION"),
    inPart(
      "TCP_INFO",
      "nothing is lost or waited for: its times and rates are those of an idle line",
    ),
    inPart("TCP_TIMESTAMP", "shown; EPERM to set it, as TCP_REPAIR is never on"),
    fails("ENOENT", "TCP_ULP", "no names"),
    fails("EPERM", "TCP_REPAIR TCP_QUEUE_SEQ TCP_REPAIR_WINDOW"),
    fails("EINVAL", "TCP_REPAIR_OPTIONS"),
    fails(
      "ENOPROTOOPT",
      `TCP_ZEROCOPY_RECEIVE TCP_MD5SIG_EXT TCP_AO_ADD_KEY TCP_AO_DEL_KEY TCP_AO_INFO
TCP_AO_GET_KEYS TCP_AO_REPAIR`,
    ),
  ]),
  flagSet("setsockopt getsockopt (IPPROTO_UDP)", "option", [
    each(
      "flags_sockets.udp_level",
      "UDP_CORK UDP_NO_CHECK6_TX UDP_NO_CHECK6_RX UDP_SEGMENT UDP_GRO",
    ),
    fails("ENOPROTOOPT", "UDP_ENCAP"),
  ]),
  flagSet("setsockopt getsockopt (IPPROTO_IP)", "option", [
    each(
      "flags_sockets.ip_level",
      `IP_TOS IP_TTL IP_RECVOPTS IP_RETOPTS IP_PKTINFO IP_MTU_DISCOVER IP_RECVERR IP_RECVTTL
IP_RECVTOS IP_MTU IP_FREEBIND IP_PASSSEC IP_TRANSPARENT IP_RECVORIGDSTADDR IP_MINTTL
IP_BIND_ADDRESS_NO_PORT IP_RECVFRAGSIZE IP_MULTICAST_TTL IP_MULTICAST_LOOP
IP_MULTICAST_ALL IP_UNICAST_IF IP_PROTOCOL IP_CHECKSUM IP_NODEFRAG`,
    ),
    by("header_options.received_options_are_in_control_messages", "IP_OPTIONS"),
    by("socket_sends.a_range_of_ports", "IP_LOCAL_PORT_RANGE"),
    by("tcp_options.ip_pktoptions_returns_options_of_the_first_segment", "IP_PKTOPTIONS"),
    fails(
      "ENOPROTOOPT",
      `IP_HDRINCL IP_XFRM_POLICY IP_IPSEC_POLICY
IP_ROUTER_ALERT`,
    ),
    by("error_queue.ip_recverr_takes_any_number_one_byte", "IP_RECVERR_RFC4884"),
    by("multicast.a_link_is_chosen_by_its_address", "IP_MULTICAST_IF"),
    by("multicast.v4_options_join_by_address", "IP_ADD_MEMBERSHIP IP_DROP_MEMBERSHIP"),
    by(
      "multicast.v4_options_sources_to_hear",
      "IP_ADD_SOURCE_MEMBERSHIP IP_DROP_SOURCE_MEMBERSHIP",
    ),
    by("multicast.v4_options_sources_not_to_hear", "IP_BLOCK_SOURCE IP_UNBLOCK_SOURCE"),
    by("multicast.filters_can_be_read", "IP_MSFILTER MCAST_MSFILTER"),
    by("multicast.v4_options_by_struct_group_req", "MCAST_JOIN_GROUP MCAST_LEAVE_GROUP"),
    by(
      "multicast.v4_options_by_struct_group_source_req",
      "MCAST_JOIN_SOURCE_GROUP MCAST_LEAVE_SOURCE_GROUP MCAST_BLOCK_SOURCE MCAST_UNBLOCK_SOURCE",
    ),
  ]),
  flagSet("setsockopt getsockopt (IPPROTO_IPV6)", "option", [
    each(
      "flags_sockets.ipv6_level",
      `IPV6_CHECKSUM IPV6_UNICAST_HOPS IPV6_MULTICAST_HOPS IPV6_MULTICAST_LOOP IPV6_MTU_DISCOVER
IPV6_RECVERR IPV6_V6ONLY IPV6_MULTICAST_ALL IPV6_ROUTER_ALERT_ISOLATE IPV6_FLOWINFO
IPV6_RECVPKTINFO IPV6_RECVHOPLIMIT IPV6_RECVHOPOPTS IPV6_RECVRTHDR IPV6_RECVDSTOPTS
IPV6_RECVPATHMTU IPV6_DONTFRAG IPV6_RECVTCLASS IPV6_TCLASS IPV6_AUTOFLOWLABEL
IPV6_MINHOPCOUNT IPV6_RECVORIGDSTADDR IPV6_UNICAST_IF IPV6_RECVFRAGSIZE IPV6_FREEBIND
IPV6_2292PKTINFO IPV6_2292HOPLIMIT IPV6_MTU IPV6_ADDR_PREFERENCES`,
    ),
    by("socket_sends.ipv6_pathmtu_of_a_connected_socket", "IPV6_PATHMTU"),
    fails(
      "ENOPROTOOPT",
      `IPV6_ADDRFORM IPV6_2292PKTOPTIONS IPV6_ROUTER_ALERT IPV6_JOIN_ANYCAST IPV6_LEAVE_ANYCAST
IPV6_FLOWLABEL_MGR
IPV6_IPSEC_POLICY IPV6_XFRM_POLICY IPV6_PKTINFO IPV6_HOPOPTS IPV6_RTHDRDSTOPTS IPV6_RTHDR
IPV6_DSTOPTS`,
    ),
    by("error_queue.ipv6_recverr_rfc4884_takes_0_and_1", "IPV6_RECVERR_RFC4884"),
    by("multicast.groups_of_ipv6", "IPV6_MULTICAST_IF"),
    by("multicast.v6_options_join_and_leave", "IPV6_JOIN_GROUP IPV6_LEAVE_GROUP"),
  ]),
  flagSet("sendto sendmsg sendmmsg", "flags", [
    each(
      "flags_sockets.sends",
      `MSG_OOB MSG_DONTROUTE MSG_DONTWAIT MSG_EOR MSG_CONFIRM MSG_NOSIGNAL MSG_MORE MSG_ZEROCOPY
MSG_SPLICE_PAGES`,
    ),
    by("tcp_options.fast_open_sends_data_with_the_second_syn", "MSG_FASTOPEN"),
  ]),
  flagSet("recvfrom recvmsg recvmmsg", "flags", [
    each(
      "flags_sockets.receives",
      "MSG_PEEK MSG_TRUNC MSG_WAITALL MSG_OOB MSG_CMSG_CLOEXEC MSG_NOSIGNAL",
    ),
    by("error_queue.a_queued_error_comes_with_other_control_messages", "MSG_ERRQUEUE"),
    refused("EAGAIN", "flags_sockets.receives", "MSG_DONTWAIT"),
  ]),
  flagSet("recvmmsg", "flags", [
    each("flags_sockets.receives_many", "MSG_WAITFORONE"),
  ]),
  flagSet("shutdown", "how", [
    each("flags_sockets.shuts", "SHUT_RD SHUT_WR SHUT_RDWR"),
  ]),
  flagSet("accept4", "flags", [
    each("flags_sockets.accepts", "SOCK_NONBLOCK SOCK_CLOEXEC"),
  ]),
];
