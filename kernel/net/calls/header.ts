/** The struct msghdr of the running call. */

/** 56 bytes are used; the buffer is larger so that it lies outside of V8's heap. */
export const header: Uint8Array<ArrayBuffer> = new Uint8Array(128);
export const headerView: DataView = new DataView(header.buffer);
