// The attacks of bench:victim still work: small rounds of a sample, of every family, as a user of a
// sandbox.

import { assert, assertEquals } from "@std/assert";
import { doCommand, PLATFORM, ROOT, run } from "../harness/dvisor.ts";

/**
 * One or two quick ones of each family; those that need several turns of the loop for a call among
 * them.
 */
const SAMPLE = [
  "unmap_of_60000_areas",
  "record_locks_on_one_file",
  "mountinfo_of_many_mounts",
  "getdents_of_merged_directories",
  "close_range_of_a_full_table",
  "exit_with_pipes",
  "epoll_of_100000_ready",
  "proc_net_of_20000_udp",
  "sock_diag_of_20000_udp",
  "routes_of_20000",
  "fork_storm",
  "messages_by_type",
  "io_uring_of_4096_nops",
];

Deno.test("a sample of the attacks on a victim runs in a sandbox", async () => {
  const program = `${ROOT}/tests/bench/victim/beside.py`;
  const python = ["/usr/bin/python3", "-B", program];
  const { stdout, stderr, code } = await run(
    [...doCommand(PLATFORM, "--pids=max"), ...python, "--try", ...SAMPLE],
    { timeoutS: 60 },
  );
  assertEquals(stdout, SAMPLE.map((name) => `ok ${name}\n`).join(""), stderr);
  assert(code === 0);
});

/** Those between containers that are quick; the victim's own calls come behind them. */
const POD_SAMPLE = [
  "all_files_of_the_image",
  "all_pipes",
  "all_rulesets",
  "memory_of_segments",
  "all_network_namespaces",
  "all_mounts",
  "all_record_locks",
  "all_keys",
  "all_tcp_ports",
  "all_message_queues",
];

Deno.test("a sample of the attacks between containers runs, and the victim too", async () => {
  const program = `${ROOT}/tests/bench/victim/pod.py`;
  const script = `touch /etc/own; exec "$@"`;
  const command = ["/usr/bin/python3", "-B", program, "try", ...POD_SAMPLE];
  const { stdout, stderr, code } = await run(
    [...doCommand(PLATFORM), "sh", "-c", script, "sh", ...command],
    { timeoutS: 60 },
  );
  const lines = [...POD_SAMPLE.map((name) => `ok ${name}`), "failed {}", ""];
  assertEquals(stdout.split("\n"), lines, stderr);
  assert(code === 0);
});
