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
import { accountLines, GROUP, PASSWD } from "../guest/account_files.ts";
import { RequestError } from "../../protocol/request_error.ts";

/** LIMIT: supplementary groups (NGROUPS_MAX). */
const GROUPS_MAX = 65536;

export interface GuestUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** A byte string without NUL; null: the user has no line in passwd, or no directory there. */
  readonly home: string | null;
}

/** The lines of the two files. */
interface AccountFiles {
  readonly passwd: readonly (readonly string[])[];
  readonly group: readonly (readonly string[])[];
}

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
    return findUser({
      passwd: accountLines(kernel, caller, PASSWD),
      group: accountLines(kernel, caller, GROUP),
    }, node);
  } finally {
    caller.close();
  }
}

/** @throws UserError */
export function findUser({ passwd, group }: AccountFiles, node: JsonNode): GuestUser {
  if (typeof node.value !== "string") {
    const uid = node.member("uid").integer(0, ID_MAX), gid = node.member("gid").integer(0, ID_MAX);
    const line = passwd.find(([, , id]) => idOf(id) === uid);
    return { uid, gid, groups: [], home: homeOf(line) };
  }
  const name = fromText(node.string()), line = passwd.find(([first]) => first === name);
  const uid = idOf(line?.[2]), gid = idOf(line?.[3]);
  if (name === "" || uid < 0 || gid < 0) {
    const text = JSON.stringify(node.value.slice(0, 64));
    throw new RequestError("NotFound", `the sandbox has no user ${text}`, "", PASSWD);
  }
  return { uid, gid, groups: groupsOf(group, name), home: homeOf(line) };
}

function groupsOf(group: AccountFiles["group"], name: string): number[] {
  const found = new Set<number>();
  for (const [, , id, members] of group) {
    const gid = idOf(id);
    if (gid < 0 || members === undefined || !members.split(",").includes(name)) continue;
    if (found.size < GROUPS_MAX) found.add(gid);
  }
  return [...found];
}

function homeOf(line: readonly string[] | undefined): string | null {
  const home = line?.[5] ?? "";
  return home.startsWith("/") && !home.includes("\0") ? home : null;
}

/** The id in a field; -1: it has none. */
function idOf(field: string | undefined): number {
  if (field === undefined || !/^[0-9]{1,10}$/.test(field)) return -1;
  const id = Number(field);
  return id <= ID_MAX ? id : -1;
}
