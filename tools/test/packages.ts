/**
 * The programs that tests run, and the Debian packages that bring them. Installs what is missing
 * when it may; else names what will be skipped. Not a test: a test asks `hasCommand` itself.
 */

/** A program that tests use, and the package it is in. */
interface Need {
  readonly command: string;
  readonly packages: readonly string[];
  readonly usedFor: string;
}

/** Everything the tests run beyond what a bare Debian has. */
export const NEEDS: readonly Need[] = [
  {
    command: "gcc",
    packages: ["gcc", "libc6-dev"],
    usedFor: "C probes of layouts, guest programs",
  },
  { command: "as", packages: ["binutils"], usedFor: "the assembler's expected bytes" },
  { command: "busybox", packages: ["busybox-static"], usedFor: "static guests" },
  { command: "strace", packages: ["strace"], usedFor: "what the Sentry asks of the host" },
  { command: "git", packages: ["git"], usedFor: "git as a guest" },
  { command: "python3", packages: ["python3"], usedFor: "python3 as a guest" },
  { command: "sqlite3", packages: ["sqlite3"], usedFor: "sqlite3 as a guest" },
  { command: "perl", packages: ["perl"], usedFor: "perl as a guest" },
  { command: "zstd", packages: ["zstd"], usedFor: "archives as a guest" },
  { command: "make", packages: ["make"], usedFor: "make as a guest" },
  { command: "tmux", packages: ["tmux"], usedFor: "interactive terminals" },
  { command: "vi", packages: ["vim-tiny"], usedFor: "a full-screen editor as a guest" },
  { command: "ps", packages: ["procps"], usedFor: "ps and top as guests" },
  { command: "node", packages: ["nodejs"], usedFor: "node as a guest" },
  { command: "pg_ctlcluster", packages: ["postgresql"], usedFor: "PostgreSQL as a guest" },
  {
    command: "redis-server",
    packages: ["redis-server", "redis-tools"],
    usedFor: "Redis as a guest",
  },
  { command: "nginx", packages: ["nginx-light"], usedFor: "nginx as a guest" },
  { command: "wrk", packages: ["wrk"], usedFor: "nginx under load" },
  { command: "curl", packages: ["curl"], usedFor: "a client of HTTP as a guest" },
  { command: "openssl", packages: ["openssl"], usedFor: "bytes and certificates for servers" },
  { command: "memcached", packages: ["memcached"], usedFor: "memcached as a guest" },
  {
    command: "sshd",
    packages: ["openssh-server", "openssh-client"],
    usedFor: "sshd and ssh as guests",
  },
  { command: "cargo", packages: ["cargo", "rustc"], usedFor: "cargo as a guest" },
  { command: "go", packages: ["golang-go"], usedFor: "Go as a guest" },
  { command: "javac", packages: ["default-jdk-headless"], usedFor: "Java as a guest" },
  { command: "gdb", packages: ["gdb"], usedFor: "a debugger as a guest" },
  { command: "bwrap", packages: ["bubblewrap"], usedFor: "bubblewrap as a guest" },
  { command: "vim", packages: ["vim"], usedFor: "vim as a guest" },
];

/** Whether an executable file of this name is on PATH. */
export function hasCommand(command: string): boolean {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      const info = Deno.statSync(`${dir || "."}/${command}`);
      if (info.isFile && ((info.mode ?? 0) & 0o111) !== 0) return true;
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return false;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.FilesystemLoop;
}

/** The needs that this machine does not meet. */
export function missingNeeds(has: (command: string) => boolean = hasCommand): Need[] {
  return NEEDS.filter((need) => !has(need.command));
}

/** Why packages cannot be installed here, or null when they can. */
export function installProblem(): string | null {
  if (Deno.uid() !== 0) return "not root";
  if (!hasCommand("apt-get")) return "no apt-get";
  return null;
}

async function apt(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("apt-get", {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).output();
  return success;
}

/** Installs what is missing; returns what still is, with one line a need on stderr. */
export async function installNeeds(): Promise<Need[]> {
  const missing = missingNeeds();
  if (missing.length === 0) return [];
  const problem = installProblem();
  if (problem === null) {
    const packages = missing.flatMap((need) => need.packages);
    console.error(`Installing with apt-get: ${packages.join(" ")}`);
    const install = ["install", "-y", "-q", "--no-install-recommends"];
    if (!await apt(...install, ...packages)) {
      await apt("update", "-q");
      // apt installs none of a list with one bad package, so each is tried alone.
      if (!await apt(...install, ...packages)) {
        for (const need of missing) await apt(...install, ...need.packages);
      }
    }
  }
  const left = missingNeeds();
  for (const need of left) {
    const why = problem ?? "apt-get could not install it";
    console.error(
      `Skipping ${need.usedFor}: no ${need.command} (${why}; ` +
        `install ${need.packages.join(" ")} to run them)`,
    );
  }
  return left;
}
