/** A row of the table of state (state_table.ts). */

export interface StateRow {
  readonly name: string;
  /** The class: its objects have this prototype. */
  readonly made: { readonly prototype: object };
  /** The own keys of its objects, in order. */
  readonly fields: readonly string[];
}

/** @param fields their names, with a space in between */
export function stateRow(
  made: { readonly prototype: object },
  name: string,
  fields: string,
): StateRow {
  return { name, made, fields: fields === "" ? [] : fields.split(" ") };
}
