# apt-get installs a local package file with its scripts, upgrades, removes and purges it.
# needs: apt-get dpkg-deb
# apart
# slow
. "$SOURCES/lib/server.sh"
export DEBIAN_FRONTEND=noninteractive
build() { # VERSION
  rm -rf p; mkdir -p p/DEBIAN p/usr/bin p/etc p/usr/share/doc/judged
  printf '#!/bin/sh\necho judged %s\n' "$1" > p/usr/bin/judged; chmod 755 p/usr/bin/judged
  echo "version=$1" > p/etc/judged.conf; seq 5000 > p/usr/share/doc/judged/numbers
  ln -s judged p/usr/bin/judged-link; ln p/usr/share/doc/judged/numbers p/usr/share/doc/judged/more
  echo /etc/judged.conf > p/DEBIAN/conffiles
  cat > p/DEBIAN/control <<HERE
Package: judged
Version: $1
Architecture: all
Maintainer: nobody <nobody@example.org>
Depends: dpkg
Description: a package made for this
HERE
  for s in preinst postinst prerm postrm; do
    printf '#!/bin/sh\necho "%s $1"\n' $s > p/DEBIAN/$s; chmod 755 p/DEBIAN/$s
  done
  printf 'adduser --quiet --system --group judged 2>/dev/null || useradd -r judged\n' >> p/DEBIAN/postinst
  dpkg-deb --root-owner-group -b p "judged_$1.deb" > /dev/null; echo "built $?"
}
do_apt() { # prints the package's own lines and the verdict
  apt-get -y -q -o APT::Sandbox::User=root -o Dir::State::lists="$WORK/lists" -o Acquire::Languages=none -o DPkg::Lock::Timeout=60 \
    -o Dpkg::Options::=--force-confold "$@" > apt.log 2>&1
  local code=$?
  grep -E '^(preinst|postinst|prerm|postrm|Setting up|Removing|Purging|Unpacking|E:)' apt.log
  echo "apt-get $1 $code"
}
mkdir -p lists/partial; build 1.0; build 2.0
do_apt install "$WORK/judged_1.0.deb"
judged; judged-link; dpkg -s judged | grep -E '^(Status|Version)'; dpkg -L judged | sort
dpkg -V judged; echo "verified $?"; id judged > /dev/null && echo "user made"
echo mine >> /etc/judged.conf; dpkg -V judged
do_apt install "$WORK/judged_2.0.deb"; judged; cat /etc/judged.conf
do_apt install "$WORK/judged_3.0.deb"; stat -c %h /usr/share/doc/judged/more
do_apt remove judged; ls /usr/bin/judged /etc/judged.conf 2>&1; dpkg-query -W -f '${Status}\n' judged
do_apt purge judged; ls /etc/judged.conf 2>&1; dpkg --audit; echo "audit $?"
