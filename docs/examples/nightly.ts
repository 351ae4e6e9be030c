/**
 * A nightly job, started and looked at by cron. The job runs in a sandbox that outlives the script
 * that made it, has a name as a label, and ends by itself when it takes too long. In the morning
 * another script finds it by that label, and takes out what the job has changed.
 *
 *     deno task example nightly                                # both, one after the other
 *     0 2 * * *  deno run -A docs/examples/nightly.ts start NAME
 *     0 6 * * *  deno run -A docs/examples/nightly.ts report NAME DIRECTORY
 *
 * cron mails what a command prints. `start` prints nothing when all is well. Exit codes: 0, 1 if
 * the job failed or is gone, 2 for a wrong command line or a missing program, and 75 (EX_TEMPFAIL)
 * if the job of that name still runs.
 */

import { NotFoundError, Sandbox } from "../../mod.ts";

const GOOD = 0, FAILED = 1, USAGE = 2, STILL_RUNS = 75;
const HOUR_MS = 3_600_000;

/** What is printed by a job without a reader is dropped, so it goes to a file, as does the code. */
const LOG = "/var/tmp/job.log", CODE = "/var/tmp/job.code", REPORT = "/var/tmp/report";
const JOB = `
mkdir -p ${REPORT} && cd ${REPORT} || exit
seq 1 100000 | sort -r | cksum > checksum
wc -c < checksum > size
echo "the checksum has $(cat size) characters"
`;

/** A sandbox with the job of this name; null: there is none. */
async function find(name: string): Promise<Sandbox | null> {
  const [info] = await Sandbox.list({ labels: { nightly: name } });
  return info === undefined ? null : await Sandbox.connect(info.id);
}

async function start(name: string): Promise<number> {
  const running = await find(name);
  if (running !== null) {
    console.error(`nightly ${name}: not started, as that of ${startOf(running)} is still there`);
    await running.close();
    return STILL_RUNS;
  }
  const box = await Sandbox.create({
    labels: { nightly: name },
    persistent: true,
    timeoutMs: 3 * HOUR_MS,
    memoryBytes: 256 << 20,
    pids: 50,
  });
  const script = `(${JOB}) > ${LOG} 2>&1; echo $? > ${CODE}.new; mv ${CODE}.new ${CODE}`;
  await box.spawn(["sh", "-c", script], { detached: true, cwd: "/" });
  await box.close(); // the sandbox goes on
  return GOOD;
}

/** Prints how the job ended, and copies what it has written to a new directory. */
async function report(name: string, directory: string): Promise<number> {
  const box = await find(name);
  if (box === null) {
    console.error(`nightly ${name}: it was not started, or took more than its time`);
    return FAILED;
  }
  if (!await box.fs.exists(CODE)) {
    const { processes } = await box.stats();
    console.error(`nightly ${name}: since ${startOf(box)}, and ${processes} processes still run`);
    await box.close();
    return STILL_RUNS;
  }
  const code = Number(await box.fs.readTextFile(CODE));
  console.log(code === 0 ? "done" : `failed with code ${code}`);
  console.log((await box.fs.readTextFile(LOG)).trimEnd());
  const changes = (await box.commit(directory)).map(({ kind, path }) => `${path} (${kind})`);
  console.log(changes.sort().join("\n"));
  await box.kill();
  return code === 0 ? GOOD : FAILED;
}

function startOf(box: Sandbox): string {
  return new Date(box.info.createdMs).toISOString();
}

/** Both at once, under a name of its own. */
async function show(): Promise<number> {
  const name = `example-${crypto.randomUUID()}`;
  const directory = await Deno.makeTempDir({ prefix: "dvisor-nightly-" });
  try {
    console.log("start:", await start(name));
    console.log("start again:", await start(name));
    await using box = await find(name);
    for (const job of await box?.jobs() ?? []) await job.wait();
    console.log("report:", await report(name, `${directory}/changes`));
    console.log("size:", Number(await Deno.readTextFile(`${directory}/changes${REPORT}/size`)));
    console.log("report again:", await report(name, `${directory}/more`));
    return GOOD;
  } finally {
    await (await find(name))?.kill(); // if something failed
    await Deno.remove(directory, { recursive: true });
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const [verb, name, directory] = argv;
  if (verb === undefined) return await show();
  if (verb === "start" && name !== undefined) return await start(name);
  if (verb === "report" && name !== undefined && directory !== undefined) {
    return await report(name, directory);
  }
  console.error("usage: nightly [start NAME | report NAME DIRECTORY]");
  return USAGE;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    console.error(`nightly: ${error instanceof Error ? error.message : error}`);
    Deno.exitCode = error instanceof NotFoundError ? USAGE : FAILED;
  }
}
