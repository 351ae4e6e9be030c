# tar through gzip, zstd, and xz where there is one.
# needs: tar gzip zstd
cd "$WORK"
mkdir -p src/deep/er && cd src
for i in $(seq 60); do seq "$i" $((i * 50)) > "file$i"; done
ln -s file1 link; ln file2 hard; head -c 300000 /usr/bin/tar > deep/er/binary; touch -d @1000000000 *; chmod 751 file3
mkfifo deep/fifo; truncate -s 1M deep/sparse
cd ..
tar cf - src | gzip -9 | zstd -q | zstd -dq | gzip -d | tar tvf - --full-time | awk '{ print $1, $3, $6 }' | sort
tar czf a.tgz src && mkdir x && tar xzf a.tgz -C x && diff -r --no-dereference src/deep/er x/src/deep/er && echo same
tar --sparse -cf s.tar src/deep && tar xf s.tar -C x && cmp src/deep/sparse x/src/deep/sparse && echo sparse same
zstd -q -19 src/file60 -o z && zstd -dc z | cmp - src/file60 && echo zstd same
gzip -k src/file60 && gzip -l src/file60.gz | awk 'NR == 2 { print $2 }'
(cd x/src && find . -type f | sort | xargs sha256sum) | sha256sum
tar cf - -C src . | (mkdir y && cd y && tar xpf -) && stat -c '%a %h %n' y/file2 y/file3 | sed "s|$WORK||"
