/** What a host descriptor is: a pipe or socket, a terminal, or something with a position. */
export const STREAM = 0, TERMINAL = 1, REGULAR = 2;
