# Sourced by programs that start servers: each waits for what it started, and ends it.
set -u
cd "$WORK" || exit 99
pids=
finish() { local p; for p in $pids; do kill "$p" 2> /dev/null; done; wait 2> /dev/null; }
trap finish EXIT
# bg COMMAND...: starts a server, which ends with the script.
bg() { "$@" < /dev/null & pids="$pids $!"; }
# until_ok COMMAND...: tries for up to 60 seconds.
until_ok() {
  local i
  for i in $(seq 600); do "$@" > /dev/null 2>&1 && return 0; sleep 0.1; done
  echo "gave up on: $*"
  return 1
}
# pick SHORT LONG: the amount of work, which is more in a long run.
pick() { if [ "${FULL:-}" = 1 ]; then echo "$2"; else echo "$1"; fi; }
# noise BYTES: the same bytes each time.
noise() {
  head -c "$1" /dev/zero | openssl enc -aes-128-ctr -K "$(printf %032d 1)" -iv "$(printf %032d 2)"
}
