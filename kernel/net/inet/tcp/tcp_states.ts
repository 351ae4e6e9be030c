/** What the states of a connection have in common (RFC 9293, 3.3.2). */

import * as I from "../../../../ffi/abi/inet.ts";

/** The handshake is over and this end has not closed. */
export function isEstablished(state: number): boolean {
  return state === I.TCP_ESTABLISHED || state === I.TCP_CLOSE_WAIT;
}

/** Letting go is a reset, of which the socket itself hears too (tcp_need_reset). */
export function resets(state: number): boolean {
  return isEstablished(state) || state === I.TCP_FIN_WAIT1 || state === I.TCP_FIN_WAIT2 ||
    state === I.TCP_SYN_SENT || state === I.TCP_SYN_RECV;
}
