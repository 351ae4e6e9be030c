/**
 * A Linux of Debian's in qemu, with busybox and Python and nothing else, to be a foreign client of
 * our servers. Not a test. It has no disk; what it runs, and what it says, is in one script and on
 * one serial line.
 *
 * KVM is tried, and does not help where this host is a guest itself that cannot run any kernel:
 * then qemu translates. One processor: two that are translated wake each other up for every packet,
 * and take half as much time again.
 */

import type { Kernel } from "./linux_kernel.ts";
import { makeTree, STARTED } from "./linux_tree.ts";

/** Where the host's loopback is. */
export const HOST = "10.0.2.2";

/** LIMIT: ms until KVM is given up; the machine is there in one second with it. */
const KVM_MS = 20_000;
const QEMU =
  "-machine q35 -cpu max -m 512 -smp 1 -nographic -no-reboot -nodefaults -serial stdio " +
  "-netdev user,id=n -device virtio-net-pci,netdev=n,romfile=";
const APPEND = "console=ttyS0 quiet panic=-1 mitigations=off";

/** The parts of a machine. */
interface MachineOptions {
  readonly kernel: Kernel;
  /** Python files that are /test/NAME.py there, of one directory here. */
  readonly folder: string;
  readonly scripts: readonly string[];
  /** The script of its shell. The last line on the console has its status: "script-ended 0". */
  readonly script: string;
  /** LIMIT: seconds from its start to its end. */
  readonly timeoutS: number;
}

function mayUseKvm(): boolean {
  try {
    Deno.openSync("/dev/kvm", { read: true, write: true }).close();
    return true;
  } catch {
    return false;
  }
}

export class LinuxMachine implements AsyncDisposable {
  /** The output of its console so far. */
  said: string = "";
  #hasEnded = false;
  #changed = Promise.withResolvers<void>();
  readonly #dir: string;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;

  private constructor(dir: string, child: Deno.ChildProcess) {
    this.#dir = dir;
    this.#child = child;
    this.#reading = this.#listen(child.stdout.pipeThrough(new TextDecoderStream()));
  }

  /** Starts a machine; it is the caller's to dispose of. */
  static async start(options: MachineOptions): Promise<LinuxMachine> {
    const dir = Deno.makeTempDirSync({ prefix: "dvisor-test-linux-" });
    try {
      const { kernel, folder, scripts, script } = options;
      const image = await makeTree(dir, kernel, folder, scripts, script);
      const boot = ["-kernel", kernel.image, "-initrd", image, "-append", APPEND];
      for (const accel of mayUseKvm() ? ["kvm", "tcg,thread=multi"] : ["tcg,thread=multi"]) {
        const machine = LinuxMachine.#spawn(dir, accel, boot, options.timeoutS);
        if (accel !== "kvm" || await machine.says(STARTED, KVM_MS)) return machine;
        await machine.kill();
      }
      throw new Error("unreachable: the last one is taken");
    } catch (error) {
      Deno.removeSync(dir, { recursive: true });
      throw error;
    }
  }

  static #spawn(
    dir: string,
    accel: string,
    boot: readonly string[],
    timeoutS: number,
  ): LinuxMachine {
    // qemu aborts when KVM fails it: no core file then.
    const command = `ulimit -c 0; exec timeout -k 5 ${timeoutS} qemu-system-x86_64 "$@"`;
    const args = ["-accel", accel, "-pidfile", `${dir}/pid`, ...QEMU.split(" "), ...boot];
    const child = new Deno.Command("sh", {
      args: ["-c", command, "sh", ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    return new LinuxMachine(dir, child);
  }

  async #listen(text: ReadableStream<string>): Promise<void> {
    for await (const part of text) {
      this.said += part.replaceAll("\r", "");
      this.#wake();
    }
    this.#hasEnded = true;
    this.#wake();
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  /** Whether the console shows this text before the machine ends and `ms` have passed. */
  async says(text: string, ms: number = Infinity): Promise<boolean> {
    let isLate = false;
    const late = () => {
      isLate = true;
      this.#wake();
    };
    const timer = ms === Infinity ? -1 : setTimeout(late, ms);
    while (!this.said.includes(text) && !this.#hasEnded && !isLate) await this.#changed.promise;
    clearTimeout(timer);
    return this.said.includes(text);
  }

  /** Kills the machine, as a power failure does. */
  async kill(): Promise<void> {
    try {
      if (!this.#hasEnded) Deno.kill(Number(Deno.readTextFileSync(`${this.#dir}/pid`)), "SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error; // it ended, or did not begin
      if (!this.#hasEnded) this.#child.kill("SIGTERM");
    }
    await this.#reading;
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    Deno.removeSync(this.#dir, { recursive: true });
  }
}
