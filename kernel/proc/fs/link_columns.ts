/** The counters of a device in /proc/net/dev. */

import type { LinkCounters } from "../../core/link_counters.ts";

/** Widths of the columns. */
const RX_WIDTHS: readonly number[] = [7, 7, 4, 4, 4, 5, 10, 9];
const TX_WIDTHS: readonly number[] = [8, 7, 4, 4, 4, 5, 7, 10];

/** The columns of one device, with the sums that Linux makes. */
export function counterColumns(c: LinkCounters): string {
  const { rx_length_errors, rx_over_errors, rx_crc_errors, rx_frame_errors } = c;
  const { tx_carrier_errors, tx_aborted_errors, tx_window_errors, tx_heartbeat_errors } = c;
  const received = [
    c.rx_bytes,
    c.rx_packets,
    c.rx_errors,
    c.rx_dropped + c.rx_missed_errors,
    c.rx_fifo_errors,
    rx_length_errors + rx_over_errors + rx_crc_errors + rx_frame_errors,
    c.rx_compressed,
    c.multicast,
  ];
  const sent = [
    c.tx_bytes,
    c.tx_packets,
    c.tx_errors,
    c.tx_dropped,
    c.tx_fifo_errors,
    c.collisions,
    tx_carrier_errors + tx_aborted_errors + tx_window_errors + tx_heartbeat_errors,
    c.tx_compressed,
  ];
  return [...padded(received, RX_WIDTHS), ...padded(sent, TX_WIDTHS)].join(" ");
}

function padded(values: readonly number[], widths: readonly number[]): string[] {
  return values.map((value, i) => String(value).padStart(widths[i] ?? 0));
}
