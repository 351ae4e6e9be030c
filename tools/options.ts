/**
 * Command lines of the project's own tasks: an option that is not known is refused, and `--help`
 * says which are.
 */

/**
 * The `unknown` of `parseArgs`.
 *
 * @param usage one line
 */
export function refuseOthers(usage: string): (argument: string, key?: string) => boolean {
  return (argument, key) => {
    if (key === undefined) return true; // an operand
    const isAsked = key === "help" || key === "h";
    if (isAsked) console.log(`usage: ${usage}`);
    else console.error(`unknown option ${argument}\nusage: ${usage}`);
    Deno.exit(isAsked ? 0 : 2);
  };
}
