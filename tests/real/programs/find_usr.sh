# The names of all files of /usr, and what kind they are.
# needs: find
# slow
find /usr | sort | sha256sum
find /usr -xdev -printf '%p %y %m %s %l\n' | sort | sha256sum
find /usr/bin -type f -perm -4000 | sort
# A sandbox does not list what others on this host may not.
find /etc -maxdepth 2 -type d ! -perm -005 -prune -o -name '*.conf' -print | sort
