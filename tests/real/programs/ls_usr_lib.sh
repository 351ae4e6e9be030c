# Every file of /usr/lib with its owner, size and time.
# needs: ls
# slow
TZ=UTC ls -lR --time-style=full-iso /usr/lib 2>&1
