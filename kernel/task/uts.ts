/** What uname(2) and /proc/version say besides host and domain name. */

export const UTS_SYSNAME = "Linux", UTS_MACHINE = "x86_64";
export const UTS_RELEASE = "6.12.0-dvisor";
export const UTS_VERSION = "#1 SMP PREEMPT_DYNAMIC dvisor";
