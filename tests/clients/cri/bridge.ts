/** Calls over a CRI socket. The protocol buffers are Python's: bridge.py. Not a test. */

import { PYTHON } from "../../harness/machine.ts";
import { ROOT, run } from "../../harness/dvisor.ts";

/** Debian's, which has the definition of the protocol. */
const PACKAGE = "golang-github-kubernetes-cri-api-dev";

/** Where its definition is; null: it is not installed. */
export function protocolFile(): string | null {
  try {
    const query = new Deno.Command("dpkg-query", { args: ["-L", PACKAGE], stderr: "null" });
    const list = new TextDecoder().decode(query.outputSync().stdout);
    return list.split("\n").find((path) => path.endsWith("/runtime/v1/api.proto")) ?? null;
  } catch {
    return null;
  }
}

/** LIMIT: seconds of a call. */
const CALL_S = 60;

export type Message = { readonly [name: string]: unknown };

interface Answer {
  readonly id: number;
  readonly reply?: Message;
  readonly error?: string;
}

export class Bridge {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #reading: Promise<void>;
  #count = 0;

  private constructor(dir: string, socket: string) {
    this.#child = new Deno.Command(PYTHON ?? "python3", {
      args: ["-B", `${ROOT}/tests/clients/cri/bridge.py`, socket],
      env: { PYTHONPATH: dir, no_proxy: "*" },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Makes the code for the protocol in `dir`. */
  static async start(dir: string, socket: string): Promise<Bridge> {
    const text = Deno.readTextFileSync(protocolFile() ?? "")
      .replaceAll(/^(?:import "[^"]*\/gogo\/|option \(gogoproto).*$/gm, "")
      .replaceAll(/ *\[\(gogoproto[^\]]*\]/g, "");
    Deno.writeTextFileSync(`${dir}/api.proto`, text);
    const python = PYTHON ?? "python3";
    const protoc = [python, "-m", "grpc_tools.protoc", "-I.", "--python_out=."];
    const { code, stderr } = await run([...protoc, "--grpc_python_out=.", "api.proto"], {
      cwd: dir,
    });
    if (code !== 0) throw new Error(`protoc: ${stderr}`);
    return new Bridge(dir, socket);
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const part of this.#child.stdout) {
      text += decoder.decode(part, { stream: true });
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const answer: Answer = JSON.parse(line);
        this.#waiting.get(answer.id)?.(answer);
        this.#waiting.delete(answer.id);
      }
    }
  }

  /** @throws Error with the code and the text of the service */
  async ask(method: string, request: Message, timeout: number = CALL_S): Promise<Message> {
    const id = ++this.#count;
    const answer = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    const line = JSON.stringify({ id, method, request, timeout });
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    const { reply, error } = await answer;
    if (reply === undefined) throw new Error(`${method}: ${error}`);
    return reply;
  }

  async close(): Promise<void> {
    await this.#writer.close();
    await this.#child.status;
    await this.#reading;
  }
}

/** The member of a message at a path of names and numbers; undefined if there is none. */
export function member(message: unknown, path: string): unknown {
  let at = message;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null) return undefined;
    at = Object.entries(at).find(([key]) => key === name)?.[1];
  }
  return at;
}
