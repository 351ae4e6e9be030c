# The first container of a pod, at a terminal: files of a tmpfs, an overlay and a volume are
# changed, processes wait for a fifo, a pipe, and for a line of the terminal.
. /graph/walk.sh
cd /t
echo text > file; mkdir d; ln -s file link; mkfifo p
cat p &
echo more >> /o/file; busybox mv /o/d /o/e; rm /o/old; echo new > /o/new
exec 3<> /v/shared 4< /o/file 5< /sys/fs/cgroup
echo shared >&3
mkdir /sys/fs/cgroup/child && (echo 0 > /sys/fs/cgroup/child/cgroup.procs; exec sleep 1000) &
sleep 1000 | cat &
echo up > /v/first
cat
