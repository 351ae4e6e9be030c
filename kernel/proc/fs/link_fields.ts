/** Settings of each interface in /proc/sys/net/ipv4/conf and ipv6/conf: names, bounds, defaults. */

const INT_MIN = -0x80000000, INT_MAX = 0x7fffffff, UINT_MAX = 0xffffffff;
/** The most seconds that an int of ticks of 4 ms holds. */
const SECONDS_MAX = 8589934;

export type LinkFamily = "ipv4" | "ipv6";

/** The default and the bounds of a setting. */
interface LinkField {
  readonly value: number;
  readonly min: number;
  readonly max: number;
  readonly permissions: number;
  /** Defaults that differ from `value`: in `all`, and of `lo`. */
  readonly ofAll?: number;
  readonly ofLo?: number;
}

type Row = readonly [string, LinkField];

function field(name: string, value: number, min: number = INT_MIN, max: number = INT_MAX): Row {
  return [name, { value, min, max, permissions: 0o644 }];
}
function flag(name: string, value: number): Row {
  return field(name, value, 0, 1);
}
function seconds(name: string, value: number): Row {
  return field(name, value, -SECONDS_MAX, SECONDS_MAX);
}
/** Set by multicast routing daemons, which this kernel does not support. */
const MC_FORWARDING: Readonly<Row> = ["mc_forwarding", {
  value: 0,
  min: 0,
  max: 0,
  permissions: 0o444,
}];

const FIELDS4: readonly Row[] = [
  field("accept_local", 0),
  field("accept_redirects", 1),
  ["accept_source_route", { ...field("", 1)[1], ofAll: 0 }],
  field("arp_accept", 0),
  field("arp_announce", 0),
  field("arp_evict_nocarrier", 1),
  field("arp_filter", 0),
  field("arp_ignore", 0),
  field("arp_notify", 0),
  field("bc_forwarding", 0),
  field("bootp_relay", 0),
  ["disable_policy", { ...field("", 0)[1], ofLo: 1 }],
  ["disable_xfrm", { ...field("", 0)[1], ofLo: 1 }],
  field("drop_gratuitous_arp", 0),
  field("drop_unicast_in_l2_multicast", 0),
  field("force_igmp_version", 0),
  field("forwarding", 0),
  field("igmpv2_unsolicited_report_interval", 10000),
  field("igmpv3_unsolicited_report_interval", 1000),
  field("ignore_routes_with_linkdown", 0),
  field("log_martians", 0),
  MC_FORWARDING,
  field("medium_id", 0),
  field("promote_secondaries", 0),
  field("proxy_arp", 0),
  field("proxy_arp_pvlan", 0),
  field("route_localnet", 0),
  field("rp_filter", 0),
  field("secure_redirects", 1),
  field("send_redirects", 1),
  field("shared_media", 1),
  field("src_valid_mark", 0),
  field("tag", 0),
];

/** Not here: `stable_secret`, as no addresses are generated. */
const FIELDS6: readonly Row[] = [
  ["accept_dad", { ...field("", 1)[1], ofAll: 0, ofLo: -1 }],
  field("accept_ra", 1),
  field("accept_ra_defrtr", 1),
  field("accept_ra_from_local", 0),
  field("accept_ra_min_hop_limit", 1),
  field("accept_ra_min_lft", 0),
  field("accept_ra_mtu", 1),
  field("accept_ra_pinfo", 1),
  field("accept_ra_rt_info_max_plen", 0),
  field("accept_ra_rt_info_min_plen", 0),
  field("accept_ra_rtr_pref", 1),
  field("accept_redirects", 1),
  field("accept_source_route", 0),
  field("accept_untracked_na", 0, 0, 2),
  field("addr_gen_mode", 0, 0, 3),
  field("autoconf", 1),
  field("dad_transmits", 1),
  field("disable_ipv6", 0),
  field("disable_policy", 0),
  field("drop_unicast_in_l2_multicast", 0),
  field("drop_unsolicited_na", 0),
  field("enhanced_dad", 1),
  field("force_mld_version", 0),
  field("force_tllao", 0),
  field("forwarding", 0),
  field("hop_limit", 64, 1, 255),
  field("ignore_routes_with_linkdown", 0),
  flag("ioam6_enabled", 0),
  field("ioam6_id", 65535, 0, 65535),
  field("ioam6_id_wide", UINT_MAX, 0, UINT_MAX),
  field("keep_addr_on_down", 0),
  field("max_addresses", 16),
  field("max_desync_factor", 600),
  MC_FORWARDING,
  field("mldv1_unsolicited_report_interval", 10000, 0),
  field("mldv2_unsolicited_report_interval", 1000, 0),
  field("mtu", 1280, 1280),
  flag("ndisc_evict_nocarrier", 1),
  field("ndisc_notify", 0),
  field("ndisc_tclass", 0, 0, 255),
  field("optimistic_dad", 0),
  field("proxy_ndp", 0),
  field("ra_defrtr_metric", 1024, 1, UINT_MAX),
  flag("ra_honor_pio_life", 0),
  flag("ra_honor_pio_pflag", 0),
  field("regen_max_retry", 3),
  field("regen_min_advance", 2),
  seconds("router_probe_interval", 60),
  seconds("router_solicitation_delay", 1),
  seconds("router_solicitation_interval", 4),
  seconds("router_solicitation_max_interval", 3600),
  field("router_solicitations", -1, -1),
  flag("rpl_seg_enabled", 0),
  field("seg6_enabled", 0),
  field("seg6_require_hmac", 0),
  field("suppress_frag_ndisc", 1),
  field("temp_prefered_lft", 86400),
  field("temp_valid_lft", 604800),
  field("use_oif_addrs_only", 0),
  field("use_optimistic", 0),
  ["use_tempaddr", { ...field("", 0)[1], ofLo: -1 }],
];

export const LINK_FIELDS: Readonly<Record<LinkFamily, ReadonlyMap<string, LinkField>>> = {
  ipv4: new Map(FIELDS4),
  ipv6: new Map(FIELDS6),
};
