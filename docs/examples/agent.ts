/**
 * The loop of an agent that writes files, runs tests and starts a server. It reads what went wrong,
 * repairs it, fetches its server from outside and reads the log. Here the steps are a script; with
 * a model, `nextStep` sends it the observations and parses its answer.
 *
 *     deno task example agent
 *
 * The sandbox has no network. `ports.expose` carries connections to its loopback all the same.
 */

import { type ExposedPort, NotFoundError, Sandbox, SandboxError } from "../../mod.ts";

type Step =
  | { readonly tool: "write"; readonly path: string; readonly text: string }
  | { readonly tool: "run"; readonly command: string }
  | { readonly tool: "serve"; readonly command: string; readonly port: number }
  | { readonly tool: "fetch"; readonly path: string }
  | { readonly tool: "read"; readonly path: string }
  | { readonly tool: "done"; readonly text: string };

const WORK = "/tmp/project", STEPS_MAX = 30, RUN_MS = 30_000, SERVE_MS = 30_000;
const OBSERVATION_MAX = 2_000; // characters that a model reads

const WORDS = `def count(text):
    words = {}
    for word in text.split(): words[word] = words.get(word, 0) + 1
    return words
`;
const TEST = `from words import count
if count("a b a") != {"a": 2, "b": 1}: raise SystemExit("a b a: wrong")
if count("A a") != {"a": 2}: raise SystemExit("A a: both are the same word")
print("all tests pass")
`;
const SERVER = `import http.server, json, urllib.parse, words
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        body = json.dumps(words.count(query.get("text", [""])[0])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, format, *arguments): print(self.command, self.path, flush=True)
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
`;
const SCRIPT: readonly Step[] = [
  { tool: "write", path: "words.py", text: WORDS },
  { tool: "write", path: "test.py", text: TEST },
  { tool: "run", command: "python3 test.py" },
  { tool: "write", path: "words.py", text: WORDS.replace("text.split()", "text.lower().split()") },
  { tool: "run", command: "python3 test.py" },
  { tool: "read", path: "missing.txt" },
  { tool: "write", path: "server.py", text: SERVER },
  { tool: "serve", command: "python3 server.py", port: 8080 },
  { tool: "fetch", path: "/?text=The+cat+and+the+dog" },
  { tool: "read", path: "server.log" },
  { tool: "done", text: "The server counts words." },
];

/** What a model would say next; an observation is the result of the step before. */
function nextStep(observations: readonly string[]): Step {
  return SCRIPT[observations.length] ?? { tool: "done", text: "" };
}

/** The tools that an agent has in a sandbox. */
class Workshop {
  readonly #box: Sandbox;
  #exposed: ExposedPort | null = null;

  constructor(box: Sandbox) {
    this.#box = box;
  }

  /** Does a step. What fails is an observation too: the agent can repair it. */
  async take(step: Step): Promise<string> {
    try {
      return (await this.#do(step)).slice(0, OBSERVATION_MAX);
    } catch (error) {
      if (!(error instanceof SandboxError) || error.code === "Gone") throw error;
      return error.message;
    }
  }

  async #do(step: Step): Promise<string> {
    const box = this.#box;
    switch (step.tool) {
      case "write":
        await box.fs.writeFile(`${WORK}/${step.path}`, step.text);
        return `${step.text.length} characters`;
      case "read":
        return await box.fs.readTextFile(`${WORK}/${step.path}`);
      case "run": {
        const options = { cwd: WORK, timeoutMs: RUN_MS, maxOutputBytes: 1 << 20 };
        const ended = await box.exec(["sh", "-c", step.command], options);
        const how = ended.reason === "exit" ? `exit code ${ended.code}` : ended.reason;
        return ended.text + ended.errorText + how;
      }
      case "serve": {
        // The shell ends, and the server that it leaves behind goes on.
        const command = `${step.command} > server.log 2>&1 &`;
        await box.exec(["sh", "-c", command], { cwd: WORK, detached: true });
        this.#exposed = await box.ports.expose(step.port);
        return await this.#fetch("/?text=") === null ? "it does not listen" : "it listens";
      }
      case "fetch":
        return await this.#fetch(step.path) ?? "there is no answer";
      case "done":
        return "";
    }
  }

  /** Fetches from the server, which may need a while to listen. null: it did not answer. */
  async #fetch(path: string): Promise<string | null> {
    if (this.#exposed === null) return null;
    for (const end = Date.now() + SERVE_MS; Date.now() < end;) {
      try {
        return await (await fetch(this.#exposed.url + path)).text();
      } catch {
        await new Promise((done) => setTimeout(done, 100));
      }
    }
    return null;
  }
}

async function main(): Promise<void> {
  await using box = await Sandbox.create({ memoryBytes: 512 << 20, pids: 64, diskBytes: 64 << 20 });
  await box.exec(["python3", "--version"]); // a NotFoundError if there is none
  await box.fs.mkdir(WORK);
  const workshop = new Workshop(box), observations: string[] = [];
  while (observations.length < STEPS_MAX) {
    const step = nextStep(observations), { tool, ...rest } = step;
    console.log(`> ${tool} ${String(Object.values(rest)[0])}`);
    if (tool === "done") break;
    const observation = await workshop.take(step);
    console.log(observation.trimEnd());
    observations.push(observation);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
