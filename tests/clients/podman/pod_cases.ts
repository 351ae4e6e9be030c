/** Podman's pods, Kubernetes files and builds. Not a test. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { lacks } from "../../harness/machine.ts";
import { type EngineCase, until } from "../engines/engine_case.ts";
import { IMAGE, type Podman } from "./podman.ts";

const WEB = "mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w";

async function pod(p: Podman, ...options: string[]): Promise<string> {
  const name = `pod-${p.name()}`;
  await p.must("pod", "create", "--name", name, ...options);
  return name;
}

/** The container answers on the loopback that it shares. */
function answers(p: Podman, from: string): Promise<void> {
  return until("hello", async () => {
    const result = await p.call("exec", from, "wget", "-T", "3", "-qO-", "http://127.0.0.1/");
    return result.stdout.includes("hello");
  });
}

const POD_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "containers of a pod share the network and the host name",
    isQuick: true,
    async run(p) {
      const name = await pod(p, "--hostname", "podhost");
      await p.background(WEB, "--pod", name);
      const other = await p.background("sleep 1000", "--pod", name);
      await answers(p, other);
      assertEquals(await p.must("exec", other, "hostname"), "podhost\n");
      assert(!(await p.must("exec", other, "ps")).includes("httpd"));
    },
  },
  {
    name: "a pod that shares processes",
    async run(p) {
      const name = await pod(p, "--share", "net,ipc,uts,pid");
      const web = await p.background(WEB, "--pod", name);
      const other = await p.background("sleep 1000", "--pod", name);
      await until("httpd", async () => (await p.must("exec", other, "ps")).includes("httpd"));
      assertStringIncludes(await p.must("exec", web, "ps"), "sleep 1000");
    },
  },
  {
    name: "a pod without an infra container",
    async run(p) {
      const name = await pod(p, "--infra=false", "--share", "");
      const one = await p.background("echo one; sleep 1000", "--pod", name);
      await p.logged(one, "one");
    },
  },
  {
    name: "one container of a pod ends, the others live; exit codes are each one's",
    async run(p) {
      const name = await pod(p);
      const lives = await p.background("sleep 1000", "--pod", name);
      const ends = await p.background("exit 33", "--pod", name);
      assertEquals(await p.must("wait", ends), "33\n");
      assertEquals(await p.must("exec", lives, "echo", "alive"), "alive\n");
    },
  },
  {
    name: "stop, start, restart, pause and kill of a whole pod",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await pod(p);
      const one = await p.background("echo up; exec sleep 1000", "--pod", name);
      await p.must("pod", "stop", "-t", "0", name);
      assertEquals(await p.inspect(one, "{{.State.Status}}"), "exited");
      await p.must("pod", "start", name);
      await until("again", async () => (await p.call("exec", one, "true")).code === 0);
      await p.must("pod", "restart", name);
      assertEquals(await p.must("exec", one, "echo", "alive"), "alive\n");
      await p.must("pod", "pause", name);
      assertEquals(await p.inspect(one, "{{.State.Status}}"), "paused");
      await p.must("pod", "unpause", name);
      assertEquals(await p.must("exec", one, "echo", "alive"), "alive\n");
      await p.must("pod", "kill", name);
      await until("end", async () => await p.inspect(one, "{{.State.Status}}") === "exited");
    },
  },
  {
    name: "the infra container is killed: the pod can be started again",
    async run(p) {
      const name = await pod(p);
      const one = await p.background("sleep 1000", "--pod", name);
      const infra = (await p.must("pod", "inspect", "--format", "{{.InfraContainerID}}", name))
        .trim();
      await p.must("kill", infra);
      await until("end", async () => await p.inspect(infra, "{{.State.Status}}") === "exited");
      await p.must("pod", "restart", name);
      assertEquals(await p.must("exec", one, "echo", "alive"), "alive\n");
    },
  },
  {
    name: "pod top, stats, ps and inspect",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await pod(p);
      await p.background("exec sleep 1234", "--pod", name);
      assertMatch(await p.must("pod", "top", name), /sleep 1234/);
      assertMatch(await p.must("pod", "stats", "--no-stream", name), /[kM]B/);
      assertMatch(await p.must("pod", "ps"), /Running +.* 2\b/);
      assertMatch(await p.must("pod", "inspect", name), /"NumContainers": 2/);
    },
  },
  {
    name: "limits of members, one over its limit",
    notRootless: "its control groups are root's",
    async run(p) {
      const name = await pod(p);
      const lives = await p.background("sleep 1000", "--pod", name);
      const eater = p.name();
      const limits = ["--memory", "40m", "--memory-swap", "40m"];
      const dd = ["dd", "if=/dev/zero", "of=/dev/null", "bs=90M", "count=1"];
      const result = await p.call(
        ...["run", "--pod", name, "--name", eater, ...limits, IMAGE, ...dd],
      );
      assertEquals(result.code, 137, describe(result));
      assertEquals(await p.inspect(eater, "{{.State.OOMKilled}}"), "true");
      assertEquals(await p.must("exec", lives, "echo", "alive"), "alive\n");
    },
  },
  {
    name: "volumes between members, cp, and an init container",
    async run(p) {
      const name = await pod(p);
      const init = ["create", "--pod", name, "--init-ctr", "always", "-v", "pv:/v", IMAGE];
      await p.must(...init, "sh", "-c", "echo from-init >/v/i");
      const one = p.name();
      const main = ["create", "--pod", name, "--name", one, "-v", "pv:/v", IMAGE];
      await p.must(...main, "sleep", "1000");
      await p.must("pod", "start", name);
      assertEquals(await p.must("exec", one, "cat", "/v/i"), "from-init\n");
      await p.must("cp", p.file("pod-in", "in\n"), `${one}:/v/in`);
      assertEquals(await p.must("exec", one, "cat", "/v/in"), "in\n");
    },
  },
  {
    name: "kube play and down, generate",
    async run(p) {
      const yaml = p.file("pod.yaml", kubePod(p.folder("kube")));
      await p.must("kube", "play", yaml);
      await p.logged("kp-job", "config=value");
      await answers(p, "kp-job");
      assertMatch(await p.must("exec", "kp-job", "cat", "/h/from-web"), /web-wrote/);
      assertMatch(await p.must("kube", "generate", "kp"), /kind: Pod/);
      await p.must("kube", "down", yaml);
      assertEquals(await p.must("ps", "-aq"), "");
    },
  },
];

function kubePod(folder: string): string {
  const container = (name: string, script: string, more = "") => `
  - name: ${name}
    image: ${IMAGE}
    imagePullPolicy: Never
    command: ["sh", "-c", ${JSON.stringify(script)}]
    volumeMounts: [{ name: h, mountPath: /h }]
${more}`;
  const limits = `    resources: { limits: { memory: 64Mi } }
    env: [{ name: C, valueFrom: { configMapKeyRef: { name: cm, key: k } } }]`;
  return `
apiVersion: v1
kind: ConfigMap
metadata: { name: cm }
data: { k: value }
---
apiVersion: v1
kind: Pod
metadata: { name: kp }
spec:
  terminationGracePeriodSeconds: 1
  containers:${container("web", `echo web-wrote >/h/from-web; ${WEB}`)}
${container("job", "echo config=$C; exec sleep 1000", limits)}
  volumes: [{ name: h, hostPath: { path: ${folder} } }]
`;
}

const BUILD_CASES: readonly EngineCase<Podman>[] = [
  {
    name: "build: RUN steps that do real work",
    async run(p) {
      p.file("build/src/a.txt", "alpha\n");
      p.file(
        "build/Containerfile",
        `FROM ${IMAGE}
ENV A=1
COPY src /src
RUN echo app:x:1500:1500:::>>/etc/passwd
RUN mkdir /app && cp /src/a.txt /app/b && chown -R app /app
RUN --mount=type=cache,target=/cache echo cached >/cache/c && cat /cache/c >/app/c
RUN --network=none ls /sys/class/net >/app/links
USER app
WORKDIR /app
RUN id -u >/app/id && chmod 4755 b && ln b hard && ln -s b soft && tar -cf t.tar b
CMD ["sh", "-c", "cat id c links; stat -c '%a %U %h' b; readlink soft; echo $A"]
`,
      );
      const options = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
      const isolation = ["--isolation", "oci", "--layers", "-t", "localhost/built:1"];
      await p.must("build", "-q", ...options, ...isolation, `${p.dir}/build`);
      const result = await p.call("run", "--rm", "localhost/built:1");
      assertEquals(result.stdout, "1500\ncached\nlo\n4755 app 2\nb\n1\n", describe(result));
      await p.must("rmi", "-f", "localhost/built:1");
    },
  },
  {
    name: "build: a RUN step that fails ends it with its code",
    async run(p) {
      p.file("bad/Containerfile", `FROM ${IMAGE}\nRUN echo before; exit 9\n`);
      const options = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"];
      const argv = ["build", ...options, "--isolation", "oci", `${p.dir}/bad`];
      const result = await p.call(...argv);
      assertEquals(result.code, 9, describe(result));
      assertMatch(result.stdout, /before/);
    },
  },
];

/** A pod's first process; Podman recommends its package, or another that will not do. */
const lacking = lacks(["catatonit"]);

export const POD_AND_BUILD_CASES: readonly EngineCase<Podman>[] = [
  ...POD_CASES.map((one) => ({ ...one, lacking })),
  ...BUILD_CASES,
];
