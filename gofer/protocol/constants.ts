/**
 * The numbers of 9P2000.L and of dvisor's extension of it.
 *
 * Source of the base protocol: Linux, include/net/9p/9p.h, and diod's protocol.md. gofer/README.md
 * describes the extension. The contents of messages are in the files beside this one, a family
 * each.
 */

/** The version string of the base protocol. */
export const VERSION_9P2000L = "9P2000.L";
/** The version string that also turns on dvisor's own messages (types 200 and above). */
export const VERSION_DVISOR = "9P2000.L.dvisor.2";
/** A server's answer to a version that it does not know. */
export const VERSION_UNKNOWN = "unknown";

/** "No tag": only Tversion uses it. */
export const NOTAG = 0xffff;
/** "No fid": Tattach without authentication, and messages of the extension that bind nothing. */
export const NOFID = 0xffffffff;
/** "No uid": the attacher has no numeric user. */
export const NONUNAME = 0xffffffff;

/** size[4] type[1] tag[2]. */
export const HEADER_BYTES = 7;
/** Body of Rgetattr, and of every attribute record of the extension. */
export const ATTR_BYTES = 153;
/** Rread and Twrite carry at most msize minus this (Linux's P9_IOHDRSZ). */
export const IO_HEADER_BYTES = 24;

/** LIMIT: the smallest msize that a session works with; it holds every fixed-size message. */
export const MSIZE_MIN = 4096;
/** LIMIT: the largest msize that this server grants. */
export const MSIZE_MAX = 1 << 20;
/** LIMIT: names in one Twalk (9P's MAXWELEM). */
export const WALK_NAMES_MAX = 16;
/** LIMIT: names in one Twalkgetattr; longer paths take several requests. */
export const WALKGETATTR_NAMES_MAX = 64;
/** LIMIT: directories that one Tscan names. */
export const SCAN_PATHS_MAX = 256;
/** LIMIT: after so many entries a Tscan begins no further directory. */
export const SCAN_ENTRIES_MAX = 16384;
/** Linux's PATH_MAX less the final NUL: bytes in a symlink's target. */
export const TARGET_MAX = 4095;

// Message types. A reply's type is its request's plus one.
export const RLERROR = 7;
export const TSTATFS = 8;
export const TLOPEN = 12;
export const TLCREATE = 14;
export const TSYMLINK = 16;
export const TMKNOD = 18;
export const TRENAME = 20;
export const TREADLINK = 22;
export const TGETATTR = 24;
export const TSETATTR = 26;
export const TXATTRWALK = 30;
export const TXATTRCREATE = 32;
export const TREADDIR = 40;
export const TFSYNC = 50;
export const TLOCK = 52;
export const TGETLOCK = 54;
export const TLINK = 70;
export const TMKDIR = 72;
export const TRENAMEAT = 74;
export const TUNLINKAT = 76;
export const TVERSION = 100;
export const TAUTH = 102;
export const TATTACH = 104;
export const TFLUSH = 108;
export const TWALK = 110;
export const TREAD = 116;
export const TWRITE = 118;
export const TCLUNK = 120;
export const TREMOVE = 122;

// dvisor's extension.
export const TWALKGETATTR = 200;
export const TOPENFD = 202;
export const TCREATEFD = 204;
export const TMAKE = 206;
export const TREADDIRATTR = 208;
export const TRENAMEAT2 = 210;
export const TGETXATTR = 212;
export const TSETXATTR = 214;
export const TLISTXATTR = 216;
export const TREMOVEXATTR = 218;
export const TLIST = 220;
export const TSCAN = 222;
export const TBINDFD = 224;

// Entries for which Tlist requests attributes.
export const LIST_DIRS = 1;
export const LIST_ALL = 2;

// qid types.
export const QTDIR = 0x80;
export const QTSYMLINK = 0x02;
export const QTFILE = 0x00;

// Tgetattr's request mask and Rgetattr's valid mask.
export const GETATTR_BASIC = 0x7ff;
export const GETATTR_BTIME = 0x800;
/** In the valid mask of the extension's replies: the file has no extended attributes at all. */
export const ATTR_NO_XATTRS = 0x10000;

// Tsetattr's valid mask.
export const SETATTR_MODE = 0x1;
export const SETATTR_UID = 0x2;
export const SETATTR_GID = 0x4;
export const SETATTR_SIZE = 0x8;
export const SETATTR_ATIME = 0x10;
export const SETATTR_MTIME = 0x20;
export const SETATTR_CTIME = 0x40;
/** With SETATTR_ATIME: the time of the message; without: the server's now. */
export const SETATTR_ATIME_SET = 0x80;
export const SETATTR_MTIME_SET = 0x100;
export const SETATTR_ALL = 0x1ff;

// Tlock.
export const LOCK_TYPE_RDLCK = 0;
export const LOCK_TYPE_WRLCK = 1;
export const LOCK_TYPE_UNLCK = 2;
export const LOCK_FLAGS_BLOCK = 1;
export const LOCK_FLAGS_RECLAIM = 2;
export const LOCK_SUCCESS = 0;
export const LOCK_BLOCKED = 1;
export const LOCK_ERROR = 2;
export const LOCK_GRACE = 3;

/** Tunlinkat's flag: remove a directory (the value of Linux's AT_REMOVEDIR). */
export const UNLINK_REMOVEDIR = 0x200;

/** Twalkgetattr's open flags: open nothing. */
export const OPEN_NONE = 0xffffffff;

// Tscan's flags.
/** Attributes of every entry, and targets of symlinks. Of a block: it has them. */
export const SCAN_ATTRS = 1;
/** Directories below those named too. */
export const SCAN_DEEP = 2;
/** Finds out which files have no extended attributes. Of a block: this was done. */
export const SCAN_XATTRS = 4;
/** With SCAN_DEEP: subdirectories in the order of their names. */
export const SCAN_SORTED = 16;
export const SCAN_ALL = 23;
/**
 * Of a block: the directory compares names byte by byte, so a name that is not listed does not
 * exist.
 */
export const SCAN_EXACT = 8;
/** Parent of a block that is one of the requested paths. */
export const SCAN_ROOT = 0xffffffff;

// The reason for the end of a Twalkgetattr.
/** Every name was walked. */
export const STOP_COMPLETE = 0;
/** The last component returned is a symlink and names were left; its target is inline. */
export const STOP_SYMLINK = 1;
/** The next name failed with the errno of the reply (ENOENT, ENOTDIR, EACCES, ...). */
export const STOP_ERROR = 2;
