# The names of all files of /usr, and what kind they are.
# needs: find
# slow
find /usr | sort | sha256sum
find /usr -xdev -printf '%p %y %m %s %l\n' | sort | sha256sum
find /usr/bin -type f -perm -4000 | sort
find /etc -maxdepth 2 -name '*.conf' | sort
