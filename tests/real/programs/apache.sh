# Apache with each of its three ways to serve, CGI, a restart without a lost request.
# needs: apache2 ab curl
# apart
# slow
. "$SOURCES/lib/server.sh"
chmod 777 .; mkdir w run && chmod 777 run; echo hello > w/f; noise 300000 > w/big
printf '#!/bin/sh\necho Content-type: text/plain\necho\necho cgi $REQUEST_METHOD; cat\n' > w/c.cgi; chmod 755 w/c.cgi
for mpm in prefork worker event; do
  echo "== $mpm"
  { echo "ServerRoot /usr/lib/apache2"; for m in mpm_$mpm authz_core dir mime status deflate filter cgid; do echo "LoadModule ${m}_module modules/mod_$m.so"; done
    cat <<HERE
User www-data
Group www-data
TypesConfig /etc/mime.types
PidFile $WORK/run/a.pid
DefaultRuntimeDir $WORK/run
ScriptSock $WORK/run/cgid
ErrorLog $WORK/e.$mpm
ServerName localhost
Listen 127.0.0.1:8080
DocumentRoot $WORK/w
<Directory $WORK/w>
Require all granted
Options ExecCGI
</Directory>
AddHandler cgi-script .cgi
<Location /st>
SetHandler server-status
</Location>
HERE
  } > a.conf
  bg setsid apache2 -DFOREGROUND -f "$WORK/a.conf"; server=$!; at=http://127.0.0.1:8080; until_ok curl -sf $at/f
  curl -s $at/big | sha256sum; curl -s -d abc $at/c.cgi; echo; curl -s "$at/st?auto" | grep ServerMPM
  load() { ab -q "$@" | grep -E 'Complete|Failed|Non-2'; }
  n=$(pick 300 5000); load -n "$n" -c 10 $at/f; load -k -n "$n" -c 10 $at/f; load -n 40 -c 4 $at/c.cgi
  kill -USR1 "$(cat run/a.pid)"; until_ok grep -q 'doing restart\|Doing graceful' "e.$mpm"; until_ok curl -sf $at/f; curl -s $at/f
  kill -WINCH "$(cat run/a.pid)"; wait $server; echo "ended $?"
done
