/**
 * A part's compiled code, in V8's format. The build runs a rehearsal in a binary and puts the code
 * that V8 compiled into the real one. With it V8 does not parse the part's text, most of which most
 * sandboxes do not use.
 *
 * The code comes from the executable's appendix only. V8 refuses code of another version or with
 * other flags, and compiles the text then. Neighbours: parts.ts runs parts;
 * tools/build/rehearsal.ts.
 */

/** The part of `node:vm` that is used. */
interface Script {
  runInThisContext(): unknown;
  createCachedData(): Uint8Array;
}

interface VmModule {
  readonly Script: new (text: string, options: { cachedData?: Uint8Array }) => Script;
}

declare global {
  /** Set by the build in the binary that rehearses. */
  var dvisorRehearsal: { script: Script | null } | undefined;
}

/** A part's text as a script, with its compiled code if V8 accepts that. */
export async function compiled(text: string, code: Uint8Array | null): Promise<Script> {
  // No literal, so that the build does not follow it.
  const name = "node:vm";
  const vm: VmModule = await import(name);
  const script = new vm.Script(text, code === null ? {} : { cachedData: code });
  if (globalThis.dvisorRehearsal !== undefined) globalThis.dvisorRehearsal.script = script;
  return script;
}

/** The code that V8 compiled for a rehearsal, or null. */
export function rehearsedCode(): Uint8Array | null {
  return globalThis.dvisorRehearsal?.script?.createCachedData() ?? null;
}
