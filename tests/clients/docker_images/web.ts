/**
 * nginx in a container: by name over a user-defined network, through a published port, its logs and
 * signals. Not a test.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ImageCase, Images } from "../lib/images.ts";
import { until, untilWorks } from "./until.ts";

const NET = "webnet", WEB = "web";
const PORT = "18080";

async function serve(x: Images, ...options: readonly string[]): Promise<string> {
  const image = await x.of("nginx");
  await x.docker.must("run", "-d", "--name", WEB, ...options, image);
  await untilWorks(x.docker, "exec", WEB, "curl", "-sf", "http://127.0.0.1/");
  return image;
}

export const CASES: readonly ImageCase[] = [
  {
    name: "nginx serves a client that knows it by name",
    run: async (x) => {
      await x.docker.must("network", "create", NET);
      const image = await serve(x, "--network", NET, "--network-alias", "www.example");
      for (const name of [WEB, "www.example"]) {
        const client = ["run", "--rm", "--network", NET, image];
        const page = await x.docker.must(...client, "curl", "-sS", `http://${name}/`);
        assertStringIncludes(page, "Welcome to nginx");
      }
      const lost = [
        "run",
        "--rm",
        "--network",
        NET,
        image,
        "curl",
        "-sS",
        "http://nobody.example/",
      ];
      assertMatch((await x.docker.run(lost)).stderr, /Could not resolve host/);
      const back = ["exec", WEB, "sh", "-c", "getent hosts $(hostname)"];
      assertMatch(await x.docker.must(...back), /^172\.|^192\.|^10\./);
      await x.docker.clear();
      await x.docker.must("network", "rm", NET);
    },
  },
  {
    name: "a published port, --network container:, and the log",
    run: async (x) => {
      const image = await serve(x, "-p", `127.0.0.1:${PORT}:80`);
      const url = `http://127.0.0.1:${PORT}`;
      const curl = ["curl", "-sS", "--noproxy", "*"];
      const outside = await x.docker.namespaces.run([...curl, `${url}/from-outside`]);
      assertStringIncludes(outside.stdout, "404 Not Found");
      const beside = ["run", "--rm", "--network", `container:${WEB}`, image];
      const page = await x.docker.must(...beside, "curl", "-sS", "http://127.0.0.1/from-beside");
      assertStringIncludes(page, "404 Not Found");
      const logs = await x.docker.run(["logs", WEB]);
      assertStringIncludes(logs.stdout, "GET /from-outside");
      assertStringIncludes(logs.stdout, "GET /from-beside");
      await x.docker.must("exec", WEB, "sh", "-c", "echo to-stderr >/proc/1/fd/2");
      assertMatch((await x.docker.run(["logs", WEB])).stderr, /to-stderr\n$/);
      const many = `for i in $(seq 40); do curl -s --noproxy '*' -o /dev/null ` +
        `-w '%{http_code}\\n' ${url}/ & done; wait`;
      const burst = await x.docker.namespaces.run(["sh", "-c", many]);
      assertEquals(burst.stdout, "200\n".repeat(40));
    },
  },
  {
    name: "nginx reloads by SIGHUP, reopens by SIGUSR1 and ends by its stop signal",
    run: async (x) => {
      await serve(x, "-p", `127.0.0.1:${PORT}:80`);
      const workers = ["exec", WEB, "sh", "-c", "cat /proc/1/task/1/children"];
      const before = await x.docker.must(...workers);
      const site = "server { listen 80 default_server; return 200 reloaded; }";
      const write = `echo '${site}' >/etc/nginx/sites-enabled/default`;
      await x.docker.must("exec", WEB, "sh", "-c", write);
      await x.docker.must("kill", "-s", "HUP", WEB);
      await until("the new page", async () => {
        const get = ["exec", WEB, "curl", "-s", "http://127.0.0.1/"];
        return (await x.docker.must(...get)) === "reloaded" ? true : null;
      });
      await until("new workers", async () => {
        const now = (await x.docker.must(...workers)).split(" ");
        return now.some((pid) => pid !== "" && before.split(" ").includes(pid)) ? null : true;
      });
      await x.docker.must("kill", "-s", "USR1", WEB);
      await x.docker.must("exec", WEB, "curl", "-sf", "http://127.0.0.1/");
      await x.docker.must("stop", "-t", "20", WEB);
      assertEquals(await x.docker.inspect(WEB, ".State.ExitCode"), "0");
      await x.docker.must("start", WEB);
      await untilWorks(x.docker, "exec", WEB, "curl", "-sf", "http://127.0.0.1/");
    },
  },
];
