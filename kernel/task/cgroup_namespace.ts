/**
 * Cgroup namespaces (cgroup_namespaces(7)). Which cgroup a task is in is not known yet, so that they differ in their
 * identity and owner alone.
 */

import { Namespace } from "../cred/namespace.ts";

export class CgroupNamespace extends Namespace {
  override readonly kind = "cgroup";
}
