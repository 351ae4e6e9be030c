/**
 * The types of `parseArgs`: from the options given, what the result holds. No run-time code.
 * Neighbour: `parse_args.ts`.
 */

/** One name or several. */
export type Names = string | readonly string[];

/** Options of `parseArgs`. */
export interface ParseOptions<
  B extends Names | boolean = Names | boolean,
  S extends Names = Names,
  C extends Names = Names,
  N extends Names = Names,
  D extends Record<string, unknown> = Record<string, unknown>,
  A extends Record<string, Names> = Record<string, Names>,
  DD extends boolean = boolean,
> {
  /** Put what follows `--` into the result's `"--"` instead of its `_`. */
  "--"?: DD;
  /** Other names of a flag. */
  alias?: A;
  /** Flags that take no value; `true`: all long ones without `=`. */
  boolean?: B;
  /** Values of flags that are not given. */
  default?: D;
  /** Everything from the first positional argument on goes to `_`. */
  stopEarly?: boolean;
  /** Flags whose value is never read as a number. */
  string?: S;
  /** Flags that can be repeated: their values make a list. */
  collect?: C;
  /** Flags that `--no-NAME` sets to false. */
  negatable?: N;
  /** Called with each argument that no option names; returning false drops it. */
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** The names in an option that is a string, a list, or (for `boolean`) true. */
type NamesIn<T> = T extends readonly (infer U extends string)[] ? U
  : T extends string ? T
  : never;

type OneOrMany<K, C, V> = K extends NamesIn<C> ? V[] : V;
type Fallback<K, D> = K extends keyof D ? D[K] : never;

/** LIMIT: dotted names are typed by their full text, not as nested objects. */
type Flags<B, S, C, D> =
  & { [K in NamesIn<B>]: OneOrMany<K, C, boolean> | Widen<Fallback<K, D>> }
  & {
    [K in NamesIn<S> as K extends keyof D | NamesIn<C> ? K : never]:
      | OneOrMany<K, C, string>
      | Widen<Fallback<K, D>>;
  }
  & { [K in NamesIn<S> as K extends keyof D | NamesIn<C> ? never : K]?: string | undefined }
  & { [K in Exclude<NamesIn<C>, NamesIn<B> | NamesIn<S>>]: unknown[] }
  & { [K in Exclude<keyof D, NamesIn<B> | NamesIn<S> | NamesIn<C>>]: unknown };

type Widen<T> = T extends string ? string
  : T extends number ? number
  : T extends boolean ? boolean
  : T;

type Aliases<F, A> = {
  [K in keyof A & keyof F as NamesIn<A[K]>]: F[K];
};

type Flat<T> = { [K in keyof T]: T[K] };

/** The result of `parseArgs`. */
export type Args<
  B = boolean,
  S = Names,
  C = Names,
  D = Record<string, unknown>,
  A = Record<string, Names>,
  DD = boolean,
> =
  & (string extends NamesIn<B> | NamesIn<S> ? Record<string, unknown>
    : [NamesIn<B> | NamesIn<S> | NamesIn<C>] extends [never] ? Record<string, unknown>
    : Record<string, unknown> & Flat<Flags<B, S, C, D> & Aliases<Flags<B, S, C, D>, A>>)
  & { _: (string | number)[] }
  & (DD extends true ? (boolean extends DD ? { "--"?: string[] } : { "--": string[] }) : unknown);
