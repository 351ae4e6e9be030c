/**
 * The counters of a network device: struct rtnl_link_stats64. netlink, /proc/net/dev and sysfs show
 * them.
 */

/** In the order of the structure; the files of sysfs have these names. */
export const COUNTER_NAMES = [
  "rx_packets",
  "tx_packets",
  "rx_bytes",
  "tx_bytes",
  "rx_errors",
  "tx_errors",
  "rx_dropped",
  "tx_dropped",
  "multicast",
  "collisions",
  "rx_length_errors",
  "rx_over_errors",
  "rx_crc_errors",
  "rx_frame_errors",
  "rx_fifo_errors",
  "rx_missed_errors",
  "tx_aborted_errors",
  "tx_carrier_errors",
  "tx_fifo_errors",
  "tx_heartbeat_errors",
  "tx_window_errors",
  "rx_compressed",
  "tx_compressed",
  "rx_nohandler",
] as const;

type CounterName = typeof COUNTER_NAMES[number];
export type LinkCounters = Readonly<Record<CounterName, number>>;

/** Makes the counters of a device; `valueOf` gives each by its place in the structure. */
export function linkCounters(valueOf: (index: number) => number): LinkCounters {
  const counters = {} as Record<CounterName, number>;
  COUNTER_NAMES.forEach((name, i) => counters[name] = valueOf(i));
  return counters;
}

/** The counters of a device that counts nothing. */
export const NO_COUNTERS: LinkCounters = linkCounters(() => 0);
