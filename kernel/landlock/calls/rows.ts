/** The rows of landlock(7). */

import { type Row, row } from "../../syscalls/table.ts";
import * as landlock from "./landlock.ts";

export const rows: readonly Row[] = [
  row("landlock_create_ruleset", landlock.sysLandlockCreateRuleset, "ptr size hex"),
  row("landlock_add_rule", landlock.sysLandlockAddRule, "fd int ptr hex"),
  row("landlock_restrict_self", landlock.sysLandlockRestrictSelf, "fd hex"),
];
