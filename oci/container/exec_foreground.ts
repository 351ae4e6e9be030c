/**
 * Runs another process in a container in the foreground: this process becomes its waiter
 * (proxy/waiter.ts), so that there is no other process on the host. It stays in the caller's
 * namespaces and control groups, as the command of other runtimes does.
 */

import { SIGKILL, SIGWINCH } from "../../ffi/abi/signal.ts";
import { signalToSocket } from "../../ffi/sys/signals.ts";
import { RawTerminal } from "../host/terminal.ts";
import { forwardedSignals } from "../launch/command_signals.ts";
import { packetPair, signalPacket } from "../protocol/launcher_channel.ts";
import { WaiterProgram } from "../proxy/waiter.ts";
import { UserError } from "../user_error.ts";
import { execError, type ExecPlan, refuseUnlessRunning, requestExec } from "./exec_request.ts";

/** The exit code when the sandbox ends without an exit packet: that of a killed process. */
const EXIT_KILLED = 128 + SIGKILL;

/**
 * Does not return: this process exits as the guest's does.
 *
 * @throws UserError if the process cannot be started
 */
export function execInForeground(plan: ExecPlan): never {
  refuseUnlessRunning(plan);
  const terminal = plan.streams.isTerminal ? new RawTerminal(0) : null;
  const [control, socket] = packetPair(), signals = forwardedSignals(terminal !== null);
  // A signal from now on is for the guest's process, which will find it in the socket.
  for (const signo of signals) {
    if (signo !== SIGWINCH) signalToSocket(signo, control, signalPacket(signo));
  }
  const lost = { exitCode: EXIT_KILLED, message: "dvisor: the sandbox has ended\n" };
  terminal?.enter();
  try {
    const waitForStart = requestExec(plan, { hostPid: Deno.pid, socket, isOutlived: true });
    // While the sandbox starts the process.
    plan.streams.handOver();
    const own = { control, sentryPid: -1, goferPid: -1, signals, terminal, lost };
    const waiter = new WaiterProgram(own, ["dvisor", ...Deno.args]);
    waitForStart();
    return waiter.execute();
  } catch (error) {
    terminal?.restore();
    throw execError(plan, error, !(error instanceof UserError));
  }
}
