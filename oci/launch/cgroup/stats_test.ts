import { assertEquals } from "@std/assert";
import { exactJson, expandList, parseInterfaces } from "./stats.ts";
import { readStatsV1 } from "./stats_v1.ts";
import { readStatsV2 } from "./stats_v2.ts";

function group(files: Record<string, string>, body: (dir: string) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(files)) {
      Deno.writeTextFileSync(`${dir}/${name}`, text);
    }
    body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("v1: the figures are those of runc for the same files", () => {
  group({
    "cpuacct.usage": "11731183\n",
    "cpuacct.usage_percpu": "11731183 0 \n",
    "cpuacct.usage_all": "cpu user system\n0 0 4000000\n1 5 0\n",
    "cpuacct.stat": "user 0\nsystem 1\n",
    "cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n",
    "memory.limit_in_bytes": "67108864\n",
    "memory.usage_in_bytes": "389120\n",
    "memory.max_usage_in_bytes": "2011136\n",
    "memory.failcnt": "0\n",
    "memory.kmem.limit_in_bytes": "9223372036854771712\n",
    "memory.stat": "cache 7\nrss 53248\n",
    "pids.current": "1\n",
    "pids.max": "77\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Total 4096\nTotal 4096\n",
    "cpuset.cpus": "0,2-3\n",
    "cpuset.sched_relax_domain_level": "-1\n",
  }, (dir) => {
    const names = ["cpuacct", "cpu", "memory", "pids", "blkio", "cpuset"];
    const stats = readStatsV1(Object.fromEntries(names.map((name) => [name, dir])));
    assertEquals(
      exactJson(stats.cpu),
      '{"usage":{"total":11731183,"percpu":[11731183,0],"percpu_kernel":[4000000,0],' +
        '"percpu_user":[0,5],"kernel":10000000,"user":0},"throttling":{"periods":1}}',
    );
    assertEquals(
      exactJson(stats.memory),
      '{"cache":7,"usage":{"limit":67108864,"usage":389120,"max":2011136,"failcnt":0},' +
        '"swap":{"limit":0,"failcnt":0},"kernel":{"limit":9223372036854771712,"failcnt":0},' +
        '"kernelTCP":{"limit":0,"failcnt":0},"raw":{"cache":7,"rss":53248}}',
    );
    assertEquals(exactJson(stats.pids), '{"current":1,"limit":77}');
    assertEquals(
      exactJson(stats.blkio),
      '{"ioServiceBytesRecursive":[{"major":8,"op":"Read","value":4096},' +
        '{"major":8,"op":"Total","value":4096}]}',
    );
    assertEquals(stats.cpuset["cpus"], [0, 2, 3]);
    assertEquals(stats.cpuset["sched_relax_domain_level"], -1);
  });
});

Deno.test("v2: in v1's terms, swap with memory in it", () => {
  group({
    "cpu.stat": "usage_usec 10\nuser_usec 6\nsystem_usec 4\nnr_periods 3\nthrottled_usec 5\n",
    "memory.current": "100\n",
    "memory.max": "1000\n",
    "memory.peak": "300\n",
    "memory.swap.current": "20\n",
    "memory.swap.max": "max\n",
    "memory.stat": "anon 5\nfile 6\n",
    "memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "io.stat": "8:16 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n",
  }, (dir) => {
    const stats = readStatsV2(dir);
    assertEquals(stats.cpu.usage.total, 10_000);
    assertEquals(stats.cpu.throttling.throttledTime, 5000);
    assertEquals(
      exactJson(stats.memory),
      '{"cache":6,"usage":{"limit":1000,"usage":100,"max":300,"failcnt":9},' +
        '"swap":{"limit":18446744073709551615,"usage":120,"failcnt":0},' +
        '"kernel":{"limit":0,"failcnt":0},"kernelTCP":{"limit":0,"failcnt":0},' +
        '"raw":{"anon":5,"file":6}}',
    );
    assertEquals(exactJson(stats.pids), '{"current":3}');
    assertEquals(stats.blkio["ioServicedRecursive"]?.length, 2);
  });
});

Deno.test("removed groups count nothing", () => {
  assertEquals(readStatsV1({}).memory.usage.usage, undefined);
  assertEquals(readStatsV2("/proc/self/none").pids, { current: undefined, limit: undefined });
});

Deno.test("numbers beyond 2^53 are exact", () => {
  assertEquals(
    exactJson([2 ** 63 - 4096 + 3072, Infinity, NaN, 1.5, -1, null, "a\n", undefined]),
    '[9223372036854774784,18446744073709551615,0,1.5,-1,null,"a\\n",null]',
  );
});

Deno.test("lists of processors", () => {
  assertEquals(expandList("0-2,5"), [0, 1, 2, 5]);
  assertEquals(expandList(""), undefined);
  assertEquals(expandList("0-999999999")?.length, 8192);
});

Deno.test("interfaces but loopback", () => {
  const text = "Inter-|   Receive\n face |bytes\n    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n" +
    "  eth0:100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\n";
  assertEquals(parseInterfaces(text), [{
    Name: "eth0",
    RxBytes: 100,
    RxPackets: 2,
    RxErrors: 3,
    RxDropped: 4,
    TxBytes: 500,
    TxPackets: 6,
    TxErrors: 7,
    TxDropped: 8,
  }]);
});
