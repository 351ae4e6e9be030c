import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

/** The command line from its sources, in ways that start no sandbox. */
async function dvisor(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const main = fromFileUrl(new URL("../../main.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", main, ...args],
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

Deno.test("mistakes are one line and exit code 2", async () => {
  const cases: [string[], string][] = [
    [[], "no verb given; try: dvisor help"],
    [["foo"], `there is no verb "foo"; try: dvisor help`],
    [["do"], "do needs a command; try: dvisor help do"],
    [["do", "--user", "x", "id"], `--user is "x", expected UID or UID:GID in numbers`],
    [["do", "--cwd", "", "id"], `--cwd is "", expected an absolute path of the sandbox`],
    [
      ["do", "--root", "/", "--show", "x", "id"],
      `--show is "x", expected an absolute path of the sandbox`,
    ],
    [["do", "--env", "=x", "id"], `--env is "=x", expected NAME=VALUE or NAME`],
    [["do", "--volume", "/tmp", "id"], `--volume is "/tmp", expected SRC:DST or SRC:DST:ro`],
    [["do", "--hostname", "", "id"], "--hostname must have 1 to 64 bytes"],
    [["do", "--platform", "vax", "id"], `--platform is "vax", expected systrap, ptrace, kvm, auto`],
    [["help", "nope"], `there is no verb "nope"; try: dvisor help`],
    [["boot"], "the other verbs start boot, it is no verb for users; try: dvisor help"],
    [["syscalls", "x"], `unexpected argument "x"`],
    [["help", "do", "x"], `unexpected argument "x"`],
    [["install", "docker", "x"], `unexpected argument "x"`],
  ];
  await Promise.all(cases.map(async ([args, message]) => {
    const { code, out, err } = await dvisor(...args);
    assertEquals([code, out, err], [2, "", `dvisor: ${message}\n`], args.join(" "));
  }));
});

Deno.test("mistakes with runc's verbs have runc's exit codes", async () => {
  const cases: [string[], number, string][] = [
    [["--foo"], 1, "there is no option --foo"],
    [["run"], 1, "run needs an ID; try: dvisor help run"],
    [["run", "a/b"], 1, `the ID "a/b" may have only letters, digits, and . _ + -`],
    [["start", "a", "b"], 1, `unexpected argument "b"`],
    [
      ["delete", "a", "--force"],
      1,
      `unexpected argument "--force"; options stand in front of other words`,
    ],
    [["exec"], 255, "exec needs an ID; try: dvisor help exec"],
  ];
  await Promise.all(cases.map(async ([args, exitCode, message]) => {
    const { code, out, err } = await dvisor(...args);
    assertEquals([code, out, err], [exitCode, "", `dvisor: ${message}\n`], args.join(" "));
  }));
});

Deno.test("help shows every verb, and each verb's options", async () => {
  const { code, out } = await dvisor("help");
  assertEquals(code, 0);
  for (const verb of ["do", "run", "spec", "syscalls", "doctor", "help"]) {
    assertEquals(new RegExp(`^  ${verb} `, "m").test(out), true, verb);
    assertEquals((await dvisor("help", verb)).out.startsWith(`Usage: dvisor ${verb}`), true, verb);
  }
});

Deno.test("version is --version", async () => {
  const { code, out } = await dvisor("version");
  assertEquals([code, out], [0, (await dvisor("--version")).out]);
  assertEquals(out.startsWith("dvisor version "), true);
});

Deno.test("syscalls prints the table as text and as JSON", async () => {
  const { out } = await dvisor("syscalls", "--json");
  const entries: { nr: number; name: string; support: string }[] = JSON.parse(out);
  const first = entries[0];
  assertEquals([first?.nr, first?.name, first?.support], [0, "read", "full"]);
  const text = (await dvisor("syscalls")).out.trimEnd().split("\n");
  assertEquals(text.length, entries.length + 1);
});
