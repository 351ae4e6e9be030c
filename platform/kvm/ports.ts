/** The ports by whose numbers ring 0 says why it leaves the machine. */

/** Of a system call, of one that came to ring 0 where calls stay in ring 3, and of exception 0. */
export const CALL_PORT = 0x10, RING0_CALL_PORT = 0x11, EXCEPTION_PORT = 0x40;
