/**
 * The user that a request names, from the guest's own passwd(5) and group(5). DIFFERS: the guest's
 * name service (nsswitch.conf(5)) is not asked, as it is a program.
 */

import { fromText } from "../../../kernel/core/bytes.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { JsonNode } from "../../json_node.ts";
import { ID_MAX } from "../../protocol/session/limits.ts";
import { type AccountFile, GROUP, PASSWD, readAccounts } from "../guest/account_files.ts";
import { RequestError } from "../../protocol/request_error.ts";

/** LIMIT: lines of group(5) with a user. */
const GROUPS_MAX = 1024;

export interface GuestUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** A byte string without NUL; null: the user has no line in passwd, or no directory there. */
  readonly home: string | null;
}

/** Gives one of the two files. */
type ReadAccounts = (path: string) => AccountFile;

/**
 * @param node a UserName of messages.ts
 * @throws UserError for a user that the guest does not have
 */
export function resolveUser(
  kernel: SandboxKernel,
  container: Container,
  node: JsonNode,
): GuestUser {
  const caller = new ContainerCaller(container, rootCredentials(), 0);
  try {
    return findUser((path) => readAccounts(kernel, caller, path), node);
  } finally {
    caller.close();
  }
}

/** @throws UserError */
export function findUser(read: ReadAccounts, node: JsonNode): GuestUser {
  const passwd = read(PASSWD);
  if (typeof node.value !== "string") {
    const uid = node.member("uid").integer(0, ID_MAX), gid = node.member("gid").integer(0, ID_MAX);
    return { uid, gid, groups: [], home: homeOf(passwd, passwd.lineWith(2, String(uid))) };
  }
  const name = fromText(node.string()), line = passwd.lineWith(0, name);
  const uid = line < 0 ? -1 : idOf(passwd.field(line, 2));
  const gid = line < 0 ? -1 : idOf(passwd.field(line, 3));
  if (name === "" || uid < 0 || gid < 0) {
    const text = JSON.stringify(node.value.slice(0, 64));
    throw new RequestError("NotFound", `the sandbox has no user ${text}`, "", PASSWD);
  }
  return { uid, gid, groups: groupsOf(read(GROUP), name), home: homeOf(passwd, line) };
}

function groupsOf(group: AccountFile, name: string): number[] {
  const found = new Set<number>();
  let line = group.lineListing(3, name);
  for (let left = GROUPS_MAX; line >= 0 && left > 0; left--) {
    const gid = idOf(group.field(line, 2));
    if (gid >= 0) found.add(gid);
    line = group.lineListing(3, name, group.after(line));
  }
  return [...found];
}

function homeOf(passwd: AccountFile, line: number): string | null {
  const home = line < 0 ? "" : passwd.field(line, 5);
  return home.startsWith("/") && !home.includes("\0") ? home : null;
}

/** The id in a field; -1: it has none. */
function idOf(field: string): number {
  if (!/^[0-9]{1,10}$/.test(field)) return -1;
  const id = Number(field);
  return id <= ID_MAX ? id : -1;
}
