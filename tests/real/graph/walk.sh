# For scripts of bash and of busybox. walk LABEL: asks the kernel to walk its graph of objects
# (graph_walker.ts), and waits until that is done. All in this process, which has the name.
walk() {
  read -r own < /proc/self/comm
  printf %s "walk $1" > /proc/self/comm
  until read -r name < /proc/self/comm && [ "$name" = walked ]; do :; done
  printf %s "$own" > /proc/self/comm
}
# until_state PID LETTER: waits until a process is in a state of /proc/PID/stat.
until_state() {
  until read -r _ _ state _ < "/proc/$1/stat" && [ "$state" = "$2" ]; do sleep 0.01; done
}
