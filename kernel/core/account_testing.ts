/** An account for tests in which the account does not matter. */

import { Account } from "./account.ts";

export const TEST_ACCOUNT: Account = new Account(null, 1);
