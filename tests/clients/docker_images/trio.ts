/**
 * Three containers as a compose file starts them: redis, postgres and a web program over both. Not
 * a test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images } from "../lib/images.ts";
import { until, untilIs, untilWorks } from "./until.ts";

const OUTER = "outer", INNER = "inner", SHARED = "shared";
const PORT = "18081";
/** As `healthcheck:` and `depends_on: condition: service_healthy` have it. */
const HEALTH = ["--health-interval", "1s", "--health-timeout", "5s", "--health-retries", "30"];

async function up(x: Images): Promise<void> {
  const { docker } = x;
  await docker.must("network", "create", OUTER);
  await docker.must("network", "create", "--internal", INNER);
  await docker.must("volume", "create", SHARED);
  const service = (name: string, health: string, ...options: readonly string[]) =>
    docker.must(
      ...["run", "-d", "--name", name, "--network", INNER, "--health-cmd", health, ...HEALTH],
      ...["--label", "com.docker.compose.project=trio", ...options],
    );
  await service("redis", "redis-cli ping", "--network-alias", "cache", await x.of("redis"));
  await service("pg", "pg_isready -h 127.0.0.1 -U postgres", await x.of("postgres"));
  for (const name of ["redis", "pg"]) {
    await untilIs(docker, name, ".State.Health.Status", "healthy");
  }
  const app = ["-e", "REDIS_HOST=cache", "-e", "PG_HOST=pg", "-v", `${SHARED}:/shared`];
  const policy = ["--restart", "on-failure:5", "--init"];
  await docker.must(
    ...["create", "--name", "app", "--network", INNER, "-p", `127.0.0.1:${PORT}:8000`, ...app],
    ...[...policy, "--health-cmd", "curl -sf http://127.0.0.1:8000/", ...HEALTH, await x.of("app")],
  );
  await docker.must("network", "connect", OUTER, "app");
  await docker.must("start", "app");
  await untilIs(docker, "app", ".State.Health.Status", "healthy");
}

async function down(x: Images): Promise<void> {
  await x.docker.clear();
  for (const name of [OUTER, INNER]) await x.docker.run(["network", "rm", name]);
  await x.docker.run(["volume", "rm", SHARED]);
}

async function visit(x: Images): Promise<number[]> {
  const url = `http://127.0.0.1:${PORT}/`;
  const reply = await x.docker.namespaces.run(["curl", "-sS", "--noproxy", "*", "-m", "20", url]);
  const match = /^(\d+) (\d+) ([0-9a-f]{12})\n$/.exec(reply.stdout);
  assert(match !== null, reply.stdout + reply.stderr);
  return [Number(match[1]), Number(match[2])];
}

async function judge(x: Images): Promise<void> {
  const { docker } = x;
  const [count, rows] = await visit(x);
  assertEquals(count, rows);
  for (let i = 0; i < 5; i++) await visit(x);
  const [later] = await visit(x);
  assert(later! >= count! + 6, `${count}, then ${later}`);

  // What the program wrote is there for another container, and with a container of runc as well.
  const reader = ["run", "--rm", "-v", `${SHARED}:/s`];
  for (const runtime of ["dvisor", PEER]) {
    const last = await docker.must(
      ...reader,
      "--runtime",
      runtime,
      x.base,
      "tail",
      "-1",
      "/s/visits",
    );
    assert(Number(last) >= later!, `${runtime}: ${last}`);
  }

  // From an internal network nothing leads out; from the outer one the services are not known.
  const out = ["exec", "pg", "bash", "-c", "exec 3<>/dev/tcp/192.0.2.1/80"];
  assertMatch((await docker.run(out)).stderr, /unreachable/);
  const foreign = ["run", "--rm", "--network", OUTER, x.base, "getent", "hosts", "cache"];
  assertEquals((await docker.run(foreign)).code, 2);

  // The policy brings a program back that was killed inside; the init of --init is not what dies.
  await docker.must("exec", "app", "sh", "-c", "kill -9 $(cat /proc/1/task/1/children)");
  await untilIs(docker, "app", ".RestartCount", "1");
  await untilIs(docker, "app", ".State.Health.Status", "healthy");
  await visit(x);

  // A service that goes makes its client sick, and well when it is back with its name and perhaps
  // another address.
  await docker.must("stop", "redis");
  await docker.must("start", "redis");
  await untilWorks(docker, "exec", "app", "curl", "-sf", "http://127.0.0.1:8000/");
  await until("rows of before", async () => (await visit(x))[1]! > later! ? true : null);
}

export const CASES: readonly ImageCase[] = [
  {
    name: "three containers as a compose file starts them",
    run: async (x) => {
      try {
        await up(x);
        await judge(x);
      } finally {
        await down(x);
      }
    },
  },
];
