/**
 * Packet sockets (linux/if_packet.h, linux/if_ether.h), and the packet data that filters load
 * (linux/filter.h).
 */

import { layout } from "./layout.ts";

/** `struct sockaddr_ll`; names without an address of the link end at it. */
export const SockaddrLl = /* @__PURE__ */ layout("sockaddr_ll", {
  family: "u16",
  protocol: "u16",
  ifindex: "i32",
  hatype: "u16",
  pkttype: "u8",
  halen: "u8",
  addr: ["u8", 8],
});

export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;
export const PACKET_OUTGOING = 4;

/** Options at SOL_PACKET. */
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_DROP_MEMBERSHIP = 2;
export const PACKET_RX_RING = 5;
export const PACKET_STATISTICS = 6;
export const PACKET_COPY_THRESH = 7;
export const PACKET_AUXDATA = 8;
export const PACKET_ORIGDEV = 9;
export const PACKET_VERSION = 10;
export const PACKET_HDRLEN = 11;
export const PACKET_RESERVE = 12;
export const PACKET_TX_RING = 13;
export const PACKET_LOSS = 14;
export const PACKET_TIMESTAMP = 17;
export const PACKET_FANOUT = 18;
export const PACKET_QDISC_BYPASS = 20;
export const PACKET_ROLLOVER_STATS = 21;
export const PACKET_FANOUT_DATA = 22;
export const PACKET_IGNORE_OUTGOING = 23;

/** `struct fanout_args`, how a member is chosen, and flags. */
export const FanoutArgs = /* @__PURE__ */ layout("fanout_args", {
  id: "u16",
  typeFlags: "u16",
  maxNumMembers: "u32",
});
export const PACKET_FANOUT_HASH = 0;
export const PACKET_FANOUT_LB = 1;
export const PACKET_FANOUT_ROLLOVER = 3;
export const PACKET_FANOUT_RND = 4;
export const PACKET_FANOUT_CBPF = 6;
export const PACKET_FANOUT_EBPF = 7;
export const PACKET_FANOUT_FLAG_ROLLOVER = 0x1000;
export const PACKET_FANOUT_FLAG_UNIQUEID = 0x2000;
export const PACKET_FANOUT_FLAG_IGNORE_OUTGOING = 0x4000;

/** `struct packet_mreq`. */
export const PacketMreq = /* @__PURE__ */ layout("packet_mreq", {
  ifindex: "i32",
  type: "u16",
  alen: "u16",
  address: ["u8", 8],
});
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_ALLMULTI = 2;

/** `struct tpacket_auxdata`. */
export const TpacketAuxdata = /* @__PURE__ */ layout("tpacket_auxdata", {
  status: "u32",
  len: "u32",
  snaplen: "u32",
  mac: "u16",
  net: "u16",
  vlanTci: "u16",
  vlanTpid: "u16",
});

/** `struct tpacket_req`. */
export const TpacketReq = /* @__PURE__ */ layout("tpacket_req", {
  blockSize: "u32",
  blockNr: "u32",
  frameSize: "u32",
  frameNr: "u32",
});
/** `struct tpacket_req3`. */
export const TpacketReq3 = /* @__PURE__ */ layout("tpacket_req3", {
  req: TpacketReq,
  retireBlkTov: "u32",
  sizeofPriv: "u32",
  featureReqWord: "u32",
});
/** `struct tpacket_block_desc` with its header, and `struct tpacket3_hdr`. */
export const TpacketBlockDesc = /* @__PURE__ */ layout("tpacket_block_desc", {
  version: "u32",
  offsetToPriv: "u32",
  status: "u32",
  numPkts: "u32",
  offsetToFirstPkt: "u32",
  blkLen: "u32",
  seqNum: "u64",
  firstSec: "u32",
  firstNsec: "u32",
  lastSec: "u32",
  lastNsec: "u32",
});
export const Tpacket3Hdr = /* @__PURE__ */ layout("tpacket3_hdr", {
  nextOffset: "u32",
  sec: "u32",
  nsec: "u32",
  snaplen: "u32",
  len: "u32",
  status: "u32",
  mac: "u16",
  net: "u16",
  variant: ["u32", 3],
  padding: ["u8", 8],
});
export const TPACKET_V1 = 0;
export const TPACKET_V2 = 1;
export const TPACKET_V3 = 2;
export const TPACKET_ALIGNMENT = 16;
/** Bytes of the header of a frame in a ring and of the address behind it, of both versions. */
export const TPACKET_HDR = 32, TPACKET_HDRLEN = 52;
export const TPACKET3_HDRLEN: number = Tpacket3Hdr.size + SockaddrLl.size;
export const TP_STATUS_KERNEL = 0;
export const TP_STATUS_USER = 1;
export const TP_STATUS_LOSING = 4;
export const TP_STATUS_BLK_TMO = 0x20;

/** Ethernet. */
export const ETH_ALEN = 6;
export const ETH_HLEN = 14;
export const VLAN_HLEN = 4;
export const ETH_P_ALL = 3;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_IPV6 = 0x86dd;

/** Offsets in a filter that lie before the packet: its headers. */
export const SKF_NET_OFF = -0x100000;
export const SKF_LL_OFF = -0x200000;
export const SKF_AD_PROTOCOL = 0;
export const SKF_AD_PKTTYPE = 4;
export const SKF_AD_IFINDEX = 8;
export const SKF_AD_NLATTR = 12;
export const SKF_AD_NLATTR_NEST = 16;
export const SKF_AD_MARK = 20;
export const SKF_AD_HATYPE = 28;
export const SKF_AD_ALU_XOR_X = 40;
export const SKF_AD_PAY_OFFSET = 52;
export const SKF_AD_RANDOM = 56;
export const SKF_AD_MAX = 64;
