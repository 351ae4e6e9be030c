/**
 * A terminal for tests: one tmux server of its own, driven by keys and read as text. Not a test.
 */

/** How often the screen is read while waiting for something to appear on it. */
const POLL_MS = 30;

export class Terminal {
  readonly #socket: string;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Starts a command in a terminal of the given size. */
  static async open(command: readonly string[], columns = 100, rows = 30): Promise<Terminal> {
    const dir = await Deno.makeTempDir({ prefix: "dvisor-tmux-" });
    const terminal = new Terminal(`${dir}/socket`);
    const size = ["-x", String(columns), "-y", String(rows)];
    const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
    // What ends it is shown, so that a test can ask for the exit code on the screen.
    await terminal.#tmux(
      "-f",
      "/dev/null",
      "new-session",
      "-d",
      ...size,
      `${quoted}; echo "[ended $?]"; cat`,
    );
    return terminal;
  }

  async #tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-S", this.#socket, ...args],
      env: { TMUX: "", TERM: "xterm", LANG: "C.UTF-8" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (code !== 0) throw new Error(`tmux ${args[0]}: ${new TextDecoder().decode(stderr)}`);
    return new TextDecoder().decode(stdout);
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux("send-keys", "-l", "--", text);
  }

  /** Presses keys by their tmux names: "Enter", "C-c", "Escape". */
  async press(...keys: string[]): Promise<void> {
    await this.#tmux("send-keys", "--", ...keys);
  }

  async line(text: string): Promise<void> {
    await this.type(text);
    await this.press("Enter");
  }

  /** All that is on the screen. */
  screen(): Promise<string> {
    return this.#tmux("capture-pane", "-p");
  }

  /** Waits until the screen matches, and gives it; fails with the screen when it never does. */
  async expect(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const screen = await this.screen();
      if (pattern.test(screen)) return screen;
      if (performance.now() > end) throw new Error(`never saw ${pattern} on\n${screen.trimEnd()}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  async close(): Promise<void> {
    await this.#tmux("kill-server").catch(() => "");
    await Deno.remove(this.#socket.replace(/\/socket$/, ""), { recursive: true });
  }
}
