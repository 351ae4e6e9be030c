/**
 * Docker's networks as containers see them: one script a subject, run with runc and with dvisor;
 * both say the same. Not a test.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, run } from "../../harness/dvisor.ts";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images } from "../lib/images.ts";

/** LIMIT: seconds of a script. */
const SCRIPT_S = 300;

/** Answers each datagram with where it came from and how long it was. */
const UDP_SERVER = `
import socket
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind(("::", 5353))
while True:
    data, who = u.recvfrom(70000)
    u.sendto(str((who[0], len(data))).encode(), who)
`;

const UDP_CLIENT = `
import socket, sys
infos = socket.getaddrinfo(sys.argv[1], 5353, type=socket.SOCK_DGRAM)
print(sorted(set(i[0].name for i in infos)))
for family, kind, protocol, _, address in infos:
    u = socket.socket(family, kind, protocol)
    u.settimeout(20)
    for size in (1200, 20000):
        u.sendto(b"x" * size, address)
        print(u.recvfrom(100)[0].decode())
`;

interface Subject {
  readonly name: string;
  /** In bash: `$run` is `docker run --runtime ...`, `$app` and `$web` are images. */
  readonly script: string;
  /** A part of the output. */
  readonly says: string;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "networks joined and left at run time, IPv6, large datagrams by name",
    says: "('fd00:88:2::77', 20000)\n",
    script: `docker network create --subnet 10.88.1.0/24 a >/dev/null
docker network create --subnet 10.88.2.0/24 --ipv6 --subnet fd00:88:2::/64 b >/dev/null
address='--ip 10.88.1.50 --mac-address 02:42:0a:58:01:32'
$run -d --name srv --network a $address $app sleep 500 >/dev/null
docker exec -d srv python3 -c "$UDP_SERVER"
docker network connect --alias late b srv
docker exec srv cat /sys/class/net/eth0/address
docker exec srv ls /sys/class/net
docker exec srv wc -l /proc/net/route
sleep 1
$run --rm --network b --ip 10.88.2.77 --ip6 fd00:88:2::77 $app python3 -c "$UDP_CLIENT" late
docker network disconnect b srv
docker exec srv ls /sys/class/net
$run --rm --network b $app python3 -c "$UDP_CLIENT" late 2>&1 | tail -1
docker rm -f srv >/dev/null; docker network rm a b >/dev/null`,
  },
  {
    name: "published ports of UDP and TCP, from the host and from its own network",
    says: "\nhost 200\n",
    script: `ports='-p 127.0.0.1:19000:80 -p 127.0.0.1:19053:5353/udp'
$run -d --name pub $ports $app sleep 500 >/dev/null
get() { curl -s -o /dev/null -w '%{http_code}\\n' --noproxy '*' "$1"; }
docker exec -d pub python3 -c "$UDP_SERVER"
docker exec -d pub python3 -m http.server 80
ask() { for i in $(seq 50); do test $(get "$1") = 000 || break; sleep 0.2; done; get "$1"; }
echo host $(ask http://127.0.0.1:19000/)
python3 -c "
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(20)
u.sendto(b'x' * 100, ('127.0.0.1', 19053)); print(u.recv(100).decode().split(',')[1])"
$run --rm --network host $web bash -c "$(declare -f get); get http://127.0.0.1:19000/"
$run --rm --link pub:alias $web bash -c "$(declare -f get); get http://alias/; env | grep -c ALIAS"
docker port pub
docker rm -f pub >/dev/null`,
  },
  {
    name: "ip, ss and getent show the network",
    says: "lo inet 127.0.0.1/8\n",
    script: `$run --rm $web sh -c 'ip -o -4 addr show eth0 | tr -s " " | cut -d" " -f2-3
ip route | sed "s/172[.0-9/]*/X/g"; ss -Hltn | wc -l; ip -s link show eth0 | wc -l
getent ahosts localhost; cat /proc/net/dev | cut -d: -f1; ip rule; ip -6 route show dev lo
cd /sys/class/net/eth0; ls statistics | wc -l; cat mtu operstate'
$run --rm --network none $web sh -c 'ip -o addr | tr -s " " | cut -d" " -f2-4
curl -s http://192.0.2.1/; echo $?; ip route add default dev lo 2>&1'
$run --rm $app python3 -c 'import socket; s = socket.socket(); s.bind(("", 80)); print("80")'
$run --rm --user 9 --sysctl net.ipv4.ip_unprivileged_port_start=1024 $app python3 -c '
import socket
try: socket.socket().bind(("", 80))
except OSError as e: print(e)'`,
  },
];

async function outputOf(x: Images, runtime: string, script: string): Promise<string> {
  const variables = {
    DOCKER_HOST: `unix://${x.docker.socket}`,
    run: `docker run --runtime ${runtime}`,
    app: await x.of("app"),
    web: await x.of("nginx"),
    UDP_SERVER,
    UDP_CLIENT,
  };
  const argv = x.docker.namespaces.enter(["bash", "-c", script]);
  const result = await run(argv, { env: variables, timeoutS: SCRIPT_S });
  await x.docker.clear();
  assert(!result.isOverdue, describe(result));
  return result.stdout + result.stderr;
}

export const CASES: readonly ImageCase[] = SUBJECTS.map(({ name, script, says }) => ({
  name: `network: ${name}`,
  run: async (x) => {
    const theirs = await outputOf(x, PEER, script), ours = await outputOf(x, "dvisor", script);
    assertStringIncludes(`\n${theirs}`, says);
    assertEquals(ours, theirs);
  },
}));
