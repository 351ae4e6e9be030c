# The second container of the pod: it has files of its own and of the first one's volume.
. /graph/walk.sh
until [ -s /v/first ]; do sleep 0.02; done
cd /t
echo text > file; mkfifo p
cat p &
exec 3< /v/shared
sleep 1000 | cat &
walk pod
echo done > /v/second
sleep 1000
