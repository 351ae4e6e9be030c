/** Paths to `file:` URLs and back. Neighbour: `parts.ts`. */

/** The path of a `file:` URL. Throws TypeError for another scheme. */
export function fromFileUrl(url: string | URL): string {
  const parsed = new URL(url);
  if (parsed.protocol !== "file:") {
    throw new TypeError(`URL must be a file URL: received "${parsed.protocol}"`);
  }
  return decodeURIComponent(parsed.pathname.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
}

/** The `file:` URL of an absolute path. Throws TypeError for a relative one. */
export function toFileUrl(path: string): URL {
  if (!path.startsWith("/")) {
    throw new TypeError(`Path must be absolute: received "${path}"`);
  }
  const url = new URL("file:///");
  const escapes: Record<string, string> = {
    "%": "%25",
    "\\": "%5C",
    "\n": "%0A",
    "\r": "%0D",
    "\t": "%09",
    "?": "%3F",
    "#": "%23",
  };
  url.pathname = path.replace(/[%\\\n\r\t?#]/g, (c) => escapes[c] ?? c);
  return url;
}
