/**
 * The supported flags, commands and options of ioctl(2) on terminals, with the guest test of each.
 * See flag_set.ts.
 */

import { by, each, fails, type FlagSet, flagSet, inPart, refused } from "./flag_set.ts";

export const TERMINALS_FLAGS: readonly FlagSet[] = [
  flagSet("ioctl (terminals)", "request", [
    each(
      "flags_terminals.terminal_requests",
      `TCGETS TCSETS TCSETSW TCSETSF TCGETA TCSETA TCSETAW TCSETAF TCSBRK TCXONC TCFLSH TIOCEXCL
TIOCNXCL TIOCSCTTY TIOCGPGRP TIOCSPGRP TIOCOUTQ TIOCSTI TIOCGWINSZ TIOCSWINSZ TIOCMGET
TIOCMSET TIOCGSOFTCAR TIOCCONS TIOCPKT TIOCSETD TIOCGETD TCSBRKP TIOCSBRK TIOCCBRK
TIOCGSID TCGETS2 TCSETS2 TCSETSW2 TCSETSF2 TIOCGPTN TIOCSPTLCK TIOCGDEV TIOCSIG TIOCGPKT
TIOCGPTLCK TIOCGEXCL`,
    ),
    refused("ENOTTY", "flags_terminals.terminal_requests", "TIOCLINUX TIOCGSERIAL TIOCGICOUNT"),
    inPart("TIOCSSOFTCAR FIONREAD TIOCGPTPEER"),
  ]),
  flagSet("ioctl (all descriptors)", "request", [
    each("flags_terminals.common_requests", "FIONCLEX FIOCLEX FIONBIO"),
    refused("ENOTTY", "flags_terminals.common_requests", "FS_IOC_GETFSUUID"),
    inPart("FIOASYNC FIOQSIZE FIGETBSZ"),
    fails("ENOTTY", "FICLONE"),
  ]),
  flagSet("ioctl (sockets)", "request", [
    each(
      "flags_terminals.socket_requests",
      `SIOCATMARK SIOCSPGRP SIOCGPGRP FIOSETOWN FIOGETOWN SIOCINQ SIOCOUTQ SIOCGIFNAME
SIOCGIFCONF SIOCGIFFLAGS SIOCGIFADDR SIOCGIFDSTADDR SIOCGIFBRDADDR SIOCGIFNETMASK
SIOCGIFMETRIC SIOCGIFMTU SIOCGIFHWADDR SIOCGIFINDEX SIOCGIFTXQLEN`,
    ),
    by("netlink_route.arp_ioctls_return_the_hardware_address", "SIOCGARP"),
    by("namespaces.siocgskns_returns_the_namespace_of_a_socket", "SIOCGSKNS"),
    fails("ENOTTY", "SIOCGIFMAP SIOCGSTAMP SIOCSARP SIOCDARP"),
    fails("ENOTSUP", "SIOCETHTOOL"),
  ]),
];
