/** Random programs of classic BPF (bpf_fuzz.py), as filters of sockets and of system calls. */

import { testFuzzer } from "./guest_fuzz.ts";

testFuzzer("systrap: the kernel outlives random filters", { script: "bpf_fuzz.py", least: 100 });
