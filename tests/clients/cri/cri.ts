/**
 * What a kubelet does: pods and containers over the CRI socket of a containerd. Not a test.
 * Neighbours: the cases.
 */

import { Containerd } from "../engines/containerd.ts";
import { Engine, type PeerName, removeGroups, until } from "../engines/engine_case.ts";
import { makeArchive, makeRootTree } from "../engines/images.ts";
import { Bridge, member, type Message } from "./bridge.ts";

const IMAGE = "docker.io/library/bb:1";
const PAUSE = "localhost/pause:1";

function plugins(dir: string, runtime: string): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `
[${cri}]
  sandbox_image = "${PAUSE}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [${cri}.cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${dir}/cni"
  [${cri}.containerd]
    default_runtime_name = "peer"
    [${cri}.containerd.runtimes.peer]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = ["dev.dvisor.*"]
      container_annotations = ["dev.dvisor.*"]
      [${cri}.containerd.runtimes.peer.options]
        BinaryName = "${runtime}"
`;
}

function network(dir: string): string {
  const ipam = {
    type: "host-local",
    dataDir: `${dir}/ipam`,
    ranges: [[{ subnet: "172.31.79.0/24" }]],
  };
  const bridge = { type: "bridge", bridge: "cni-peer", isGateway: true, ipMasq: false, ipam };
  const list = { cniVersion: "1.0.0", name: "n", plugins: [bridge, { type: "loopback" }] };
  return JSON.stringify(list);
}

interface PodOptions {
  readonly annotations?: Record<string, string>;
  /** POD, CONTAINER or NODE; CONTAINER by default. */
  readonly pid?: string;
  readonly network?: string;
  readonly more?: Message;
}

interface ContainerOptions {
  readonly tty?: boolean;
  readonly stdin?: boolean;
  readonly resources?: Message;
  readonly security?: Message;
  readonly attempt?: number;
  readonly more?: Message;
}

export class Cri extends Engine {
  readonly containerd: Containerd;
  readonly bridge: Bridge;
  readonly #parent: string = `/dvisor-test-${crypto.randomUUID().slice(0, 8)}`;

  private constructor(peer: PeerName, dir: string, runtime: string, d: Containerd, b: Bridge) {
    super(peer, dir, runtime);
    this.containerd = d;
    this.bridge = b;
  }

  static async start(peer: PeerName, dir: string, runtime: string): Promise<Cri> {
    Deno.mkdirSync(`${dir}/cni`);
    Deno.writeTextFileSync(`${dir}/cni/10.conflist`, network(dir));
    const containerd = new Containerd(dir, plugins(dir, runtime));
    await containerd.start();
    const tar = makeRootTree(dir);
    const images = [[IMAGE, "/bin/sh"], [PAUSE, "/bin/sleep", "inf"]] as const;
    for (const [name, ...command] of images) {
      const archive = await makeArchive(dir, tar, name, command);
      const { code, stderr } = await containerd.ctr("-n", "k8s.io", "image", "import", archive);
      if (code !== 0) throw new Error(`ctr image import: ${stderr}`);
    }
    return new Cri(peer, dir, runtime, containerd, await Bridge.start(dir, containerd.socket));
  }

  argv(...args: string[]): string[] {
    return ["ctr", "-a", this.containerd.socket, "-n", "k8s.io", ...args];
  }
  protected env(): Record<string, string> {
    return {};
  }

  ask(method: string, request: Message, timeout?: number): Promise<Message> {
    return this.bridge.ask(method, request, timeout);
  }

  /** Starts containerd again, and waits until it knows its pods. */
  async startAgain(): Promise<void> {
    await this.containerd.start();
    await until("the service", async () => {
      return await this.ask("ListContainers", {}).then(() => true, () => false);
    });
  }

  async pod(options: PodOptions = {}): Promise<Pod> {
    const uid = this.name(),
      namespaces = {
        pid: options.pid ?? "CONTAINER",
        network: options.network ?? "POD",
      };
    const config = {
      metadata: { name: `p-${uid}`, uid, namespace: "ns" },
      hostname: options.network === "NODE" ? "" : "podhost",
      log_directory: `${this.dir}/logs/${uid}`,
      annotations: options.annotations ?? {},
      ...options.more,
      linux: {
        cgroup_parent: this.#parent,
        security_context: { namespace_options: namespaces },
      },
    };
    const reply = await this.ask("RunPodSandbox", { config });
    return new Pod(this, String(reply["pod_sandbox_id"]), config);
  }

  async sweep(): Promise<void> {
    if (!this.containerd.isRunning) await this.startAgain();
    const list = (await this.ask("ListPodSandbox", {}))["items"];
    for (const item of Array.isArray(list) ? list : []) {
      const pod_sandbox_id = String(member(item, "id"));
      await this.ask("StopPodSandbox", { pod_sandbox_id });
      await this.ask("RemovePodSandbox", { pod_sandbox_id });
    }
  }

  async close(): Promise<void> {
    await this.bridge.close();
    await this.containerd.stop();
    removeGroups(this.#parent.slice(1));
  }
}

export class Pod {
  readonly cri: Cri;
  readonly id: string;
  readonly config: Message;

  constructor(cri: Cri, id: string, config: Message) {
    this.cri = cri;
    this.id = id;
    this.config = config;
  }

  async status(): Promise<Message> {
    return await this.cri.ask("PodSandboxStatus", { pod_sandbox_id: this.id, verbose: true });
  }

  /** A container that is made and started. */
  async container(script: string, options: ContainerOptions = {}): Promise<Container> {
    const container = await this.made(["sh", "-c", script], options);
    await this.cri.ask("StartContainer", { container_id: container.id });
    return container;
  }

  async made(command: readonly string[], options: ContainerOptions = {}): Promise<Container> {
    const name = this.cri.name();
    const pid = member(this.config, "linux.security_context.namespace_options.pid");
    const network = member(this.config, "linux.security_context.namespace_options.network");
    const config = {
      metadata: { name, attempt: options.attempt ?? 0 },
      image: { image: IMAGE },
      command,
      log_path: `${name}.log`,
      envs: [{ key: "K", value: "V" }],
      tty: options.tty ?? false,
      stdin: options.stdin ?? false,
      ...options.more,
      linux: {
        resources: options.resources ?? {},
        security_context: { namespace_options: { pid, network }, ...options.security },
      },
    };
    const request = { pod_sandbox_id: this.id, config, sandbox_config: this.config };
    const reply = await this.cri.ask("CreateContainer", request);
    const log = `${member(this.config, "log_directory")}/${name}.log`;
    return new Container(this.cri, String(reply["container_id"]), log);
  }

  async stop(): Promise<void> {
    await this.cri.ask("StopPodSandbox", { pod_sandbox_id: this.id });
  }
}

interface Executed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Container {
  readonly cri: Cri;
  readonly id: string;
  readonly logPath: string;

  constructor(cri: Cri, id: string, logPath: string) {
    this.cri = cri;
    this.id = id;
    this.logPath = logPath;
  }

  async exec(...cmd: string[]): Promise<Executed> {
    return await this.execFor(30, ...cmd);
  }

  async execFor(timeout: number, ...cmd: string[]): Promise<Executed> {
    const reply = await this.cri.ask("ExecSync", { container_id: this.id, cmd, timeout });
    const text = (name: string) => atob(String(reply[name] ?? ""));
    return {
      code: Number(reply["exit_code"] ?? 0),
      stdout: text("stdout"),
      stderr: text("stderr"),
    };
  }

  /** Runs a shell script, which must succeed. Returns its output. */
  async shell(script: string): Promise<string> {
    const result = await this.exec("sh", "-c", script);
    if (result.code !== 0) throw new Error(`${script}: ${JSON.stringify(result)}`);
    return result.stdout;
  }

  async status(path: string): Promise<unknown> {
    const reply = await this.cri.ask("ContainerStatus", { container_id: this.id, verbose: true });
    return member(reply, path);
  }

  async state(): Promise<unknown> {
    return await this.status("status.state");
  }

  async exited(): Promise<number> {
    await until("end of the container", async () => await this.state() === "CONTAINER_EXITED");
    return Number(await this.status("status.exit_code") ?? 0);
  }

  log(): string {
    try {
      return Deno.readTextFileSync(this.logPath);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }

  async logged(text: string): Promise<void> {
    await until(`${text} in the log`, () => this.log().includes(text)).catch((error) => {
      throw new Error(`${error.message}: ${this.log().slice(-1000)}`);
    });
  }

  /** @param timeout seconds of grace */
  async stop(timeout: number): Promise<number> {
    await this.cri.ask("StopContainer", { container_id: this.id, timeout });
    return Number(await this.status("status.exit_code") ?? 0);
  }

  async remove(): Promise<void> {
    await this.cri.ask("RemoveContainer", { container_id: this.id });
  }
}
