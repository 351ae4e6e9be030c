/** The rows of socket calls. */

import type { Row } from "../table.ts";

export const rows: readonly Row[] = [];
