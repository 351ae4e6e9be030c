/**
 * Control groups made by systemd: transient scopes (org.freedesktop.systemd1(5)). Calls go over
 * systemd's own socket where that can be reached, else over the system's bus; rootless over the
 * user's.
 */

import { SyscallError } from "../../../../ffi/sys/errors.ts";
import { UserError } from "../../../user_error.ts";
import { sleepMs } from "../control_files.ts";
import { DbusConnection, DbusError } from "./dbus_connection.ts";
import { DbusWriter } from "./dbus_values.ts";
import { scopeProperties, type UnitProperty } from "./properties.ts";

const SYSTEMD = "org.freedesktop.systemd1";
const PATH = "/org/freedesktop/systemd1";
const MANAGER = "org.freedesktop.systemd1.Manager";
/** LIMIT: how long systemd may take to make or to stop a unit. */
const JOB_MS = 30_000;

interface Unit {
  readonly slice: string;
  readonly name: string;
}

interface Address {
  readonly path: string;
  readonly isBus: boolean;
}

export class SystemdManager {
  readonly #addresses: readonly Address[];

  constructor(addresses: readonly Address[]) {
    this.#addresses = addresses;
  }

  /**
   * systemd's own group: "", or that of the user's manager.
   * @throws UserError
   */
  controlGroup(): string {
    const body = new DbusWriter().string(MANAGER).string("ControlGroup");
    const group = this.#with((bus) =>
      bus.call({
        destination: SYSTEMD,
        path: PATH,
        interface: "org.freedesktop.DBus.Properties",
        member: "Get",
        signature: "ss",
        body,
      })
    ).body[0];
    return typeof group === "string" ? group : "";
  }

  /** Makes a scope with a process in it; returns when the process is there. @throws UserError */
  startUnit(unit: Unit, pid: number, properties: readonly UnitProperty[]): void {
    const all = [...scopeProperties(unit.name, unit.slice, pid), ...properties];
    const start = () => {
      const body = new DbusWriter().string(unit.name).string("replace").properties(all);
      this.#call("StartTransientUnit", "ssa(sv)a(sa(sv))", body.array(8, () => {}));
    };
    try {
      start();
    } catch (error) {
      const isThere = error instanceof DbusError && error.errorName.endsWith(".UnitExists");
      if (!isThere) throw error;
      // A failed unit keeps its name until it is reset.
      this.#resetFailed(unit.name);
      start();
    }
    this.#waitFor(() => groupsOf(pid).includes(`/${unit.name}`), `start ${unit.name}`);
  }

  /** @throws UserError */
  setProperties(name: string, properties: readonly UnitProperty[]): void {
    if (properties.length === 0) return;
    // true: not kept over a restart of the machine.
    const body = new DbusWriter().string(name).u32(1).properties(properties);
    this.#call("SetUnitProperties", "sba(sv)", body);
  }

  /** Harmless if there is no such unit. @throws UserError */
  stopUnit(name: string): void {
    try {
      this.#call("StopUnit", "ss", new DbusWriter().string(name).string("replace"));
    } catch (error) {
      if (!(error instanceof DbusError && error.errorName.endsWith(".NoSuchUnit"))) throw error;
    }
    this.#resetFailed(name);
  }

  #resetFailed(name: string): void {
    try {
      this.#call("ResetFailedUnit", "s", new DbusWriter().string(name));
    } catch (error) {
      if (!(error instanceof DbusError)) throw error;
    }
  }

  #call(member: string, signature: string, body: DbusWriter): void {
    this.#with((bus) =>
      bus.call({ destination: SYSTEMD, path: PATH, interface: MANAGER, member, signature, body })
    );
  }

  #waitFor(isDone: () => boolean, what: string): void {
    const deadline = performance.now() + JOB_MS;
    for (let wait = 1; !isDone(); wait = Math.min(2 * wait, 100)) {
      if (performance.now() > deadline) {
        throw new UserError(`systemd did not ${what} within ${JOB_MS / 1000} s`);
      }
      sleepMs(wait);
    }
  }

  /** Opens a connection for one call: calls are few, so none is kept. */
  #with<T>(use: (bus: DbusConnection) => T): T {
    const problems: string[] = [];
    for (const { path, isBus } of this.#addresses) {
      let bus: DbusConnection;
      try {
        bus = DbusConnection.open(path, isBus);
      } catch (error) {
        if (!(error instanceof SyscallError || error instanceof UserError)) throw error;
        problems.push(error.message);
        continue;
      }
      try {
        return use(bus);
      } finally {
        bus.close();
      }
    }
    const why = problems.join("; ");
    throw new UserError(`--systemd-cgroup needs systemd, which cannot be reached (${why})`);
  }
}

function groupsOf(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cgroup`);
  } catch {
    throw new UserError(`process ${pid} ended before systemd had made its scope`);
  }
}

/** The system's systemd, or the user's. */
export function systemdManager(isRootless: boolean): SystemdManager {
  if (!isRootless) {
    return new SystemdManager([
      { path: "/run/systemd/private", isBus: false },
      { path: "/run/dbus/system_bus_socket", isBus: true },
    ]);
  }
  const runtime = Deno.env.get("XDG_RUNTIME_DIR") ?? "/run/user/none";
  const bus = /^unix:path=([^,;]+)/.exec(Deno.env.get("DBUS_SESSION_BUS_ADDRESS") ?? "")?.[1];
  return new SystemdManager([
    { path: `${runtime}/systemd/private`, isBus: false },
    { path: bus ?? `${runtime}/bus`, isBus: true },
  ]);
}
