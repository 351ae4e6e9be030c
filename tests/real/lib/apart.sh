#!/bin/bash
# apart.sh COMMAND...: runs a command natively as `dvisor do` runs it: on a copy of the root whose
# changes are lost, with processes and a loopback network of its own, which end with it. Needs root.
# $WORK and $SOURCES, where scripts are, are seen in the copy too.
if [ "$APART" != inside ]; then
  APART=inside exec unshare --mount --net --ipc --uts --pid --fork --kill-child bash "$0" "$@"
fi
set -e
unset APART
top=/mnt # the mount is only seen in here
mount -t tmpfs none "$top"
mkdir "$top"/{up,work,root}
mount -t overlay none -o "lowerdir=/,upperdir=$top/up,workdir=$top/work" "$top/root"
for dir in dev sys; do mount --rbind "/$dir" "$top/root/$dir"; done
mount -t proc none "$top/root/proc"
mkdir -p "$top/root$WORK" "$top/root$SOURCES"
mount --rbind "$SOURCES" "$top/root$SOURCES"
ip link set lo up
cd "$top/root"
pivot_root . mnt # not chroot: who is in one may make no user namespace
umount -l mnt
cd /
exec "$@"
