/** The kinds of host descriptors: a pipe or socket, a terminal, or a file with a position. */
export const STREAM = 0, TERMINAL = 1, REGULAR = 2;
