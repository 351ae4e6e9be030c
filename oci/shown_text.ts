/**
 * Text for the operator's terminal that may quote a guest, an image, a hook or a broken Sentry:
 * names of programs, paths, error messages. Control characters are escaped. The output of guests
 * does not go through here.
 */

/**
 * Control characters without tab and newline, and what changes the direction of text or ends a
 * line.
 */
const IN_LINES = /(?![\t\n])\p{Cc}|[\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
/** Those of these characters that JSON.stringify does not escape. */
const IN_JSON = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Lines of text: newlines and tabs stay. */
export function shownLines(text: string): string {
  return text.replace(IN_LINES, escaped);
}

/** A part of one line, as a column of a table. */
export function shownWord(text: string): string {
  return shownLines(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** LIMIT: characters of a value that a message quotes. */
const SHORT = 60;

/** The beginning of a value that a message quotes: it may be as long as its file. */
export function shownShort(text: string): string {
  const shown = shownJson(JSON.stringify(text.slice(0, SHORT)).slice(1, -1));
  return text.length <= SHORT ? shown : `${shown}...`;
}

/** @param json that JSON.stringify wrote: it means the same afterwards */
export function shownJson(json: string): string {
  return json.replace(IN_JSON, escaped);
}

/** As JSON writes a character by its number. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

export function say(line: string): void {
  console.error(`dvisor: ${shownLines(line)}${Deno.stderr.isTerminal() ? "\r" : ""}`);
}
