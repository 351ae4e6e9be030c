import { assertEquals } from "@std/assert";
import { AF_INET, SOCK_DGRAM } from "../../../ffi/abi/socket.ts";
import * as P from "../../../ffi/abi/packet.ts";
import { Endpoint, MAPPED } from "../inet/address.ts";
import { datagramPacket } from "../inet/udp/udp_receivers.ts";
import { buildPacket4 } from "../inet/ip/ip_packet.ts";
import { inetAddress, NetLab } from "../net_testing.ts";
import { putHeader } from "./ethernet.ts";
import { sendFrame } from "./send_frame.ts";

function v4(text: string): string {
  return MAPPED + String.fromCharCode(...text.split(".").map(Number));
}

/** What a socket of one station receives from another station that uses these sources. */
function heardFrom(sources: readonly string[]): string[] {
  const labs = [new NetLab(), new NetLab()];
  const links = labs.map(({ net: { links } }, i) => {
    const link = links.add("veth", "");
    if (typeof link === "number") throw new Error("no link");
    links.setUp(link, true);
    const address = v4(`10.0.1.${i + 1}`), rest = { scope: 0, broadcast: null, origin: 0 };
    links.addAddress(link, { address, prefix: 24, peer: address, label: link.name, ...rest });
    return link;
  });
  const [near, far] = links, lab = labs[1]!;
  near!.peer = far!;
  far!.peer = near!;
  const socket = lab.socket(AF_INET, SOCK_DGRAM);
  lab.bind(socket, inetAddress("0.0.0.0", 5000));
  const heard = sources.map((source) => {
    const from = new Endpoint(v4(source), 4000), to = new Endpoint(v4("10.0.1.2"), 5000);
    const around = { protocol: 17, hops: 64, trafficClass: 0, options: null };
    const packet = datagramPacket(new Uint8Array([0x61]), from, to, around);
    const body = buildPacket4(packet), bytes = new Uint8Array(P.ETH_HLEN + body.length);
    bytes.set(body, P.ETH_HLEN);
    putHeader(bytes, far!.mac, near!.mac, P.ETH_P_IP);
    sendFrame(near!, { bytes, protocol: P.ETH_P_IP }, null);
    return lab.receive(socket);
  });
  socket.drop();
  return heard;
}

Deno.test("a frame from outside is dropped if no other station can have its source", () => {
  const none = ["10.0.1.2", "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"];
  assertEquals(heardFrom(none), none.map(() => "EAGAIN"));
  const some = ["10.0.1.1", "10.0.1.255", "10.9.9.9", "240.0.0.1", "0.1.2.3"];
  assertEquals(heardFrom(some), some.map(() => "a"));
});
