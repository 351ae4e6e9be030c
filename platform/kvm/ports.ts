/** The ports by whose numbers ring 0 says why it leaves the machine. */

/** Of a system call, and of exception 0. */
export const CALL_PORT = 0x10, EXCEPTION_PORT = 0x40;
