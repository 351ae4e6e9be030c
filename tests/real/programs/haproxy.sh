# HAProxy in front of two servers: HTTP, TCP and a unix socket, its console, a new configuration by SIGUSR2.
# needs: haproxy curl ab socat python3
# apart
# slow
. "$SOURCES/lib/server.sh"
mkdir w && echo hello > w/f && noise 2000000 > w/big
for port in 8001 8002; do
  bg python3 -m http.server -d w -b 127.0.0.1 $port > log.$port 2>&1; until_ok curl -sf 127.0.0.1:$port/f
done
cat > h.cfg <<HERE
global
 nbthread 2
 stats socket $WORK/st mode 600 level admin
 pidfile $WORK/pid
defaults
 mode http
 timeout connect 5s
 timeout client 20s
 timeout server 20s
frontend f
 bind 127.0.0.1:8000
 bind unix@$WORK/hu
 default_backend b
 http-request deny if { path /deny }
backend b
 balance roundrobin
 option httpchk GET /f
 server a 127.0.0.1:8001 check inter 500ms
 server c 127.0.0.1:8002 check inter 500ms
listen t
 mode tcp
 bind 127.0.0.1:8003
 server a 127.0.0.1:8001
HERE
haproxy -c -f h.cfg > check.log 2>&1; echo "configuration $?"
bg haproxy -W -f h.cfg 2> err; until_ok curl -sf 127.0.0.1:8000/f
for port in 8000 8003; do curl -s 127.0.0.1:$port/big | sha256sum; done
curl -s --unix-socket hu http://x/f; curl -s -o /dev/null -w '%{http_code}\n' 127.0.0.1:8000/deny
ab -q -n "$(pick 200 4000)" -c 8 http://127.0.0.1:8000/f | grep -E 'Complete|Failed|Non-2'
console() { echo "$1" | socat -t 10 - "$WORK/st"; }
# A check that has just failed shows as "UP 1/3".
console 'show stat' | cut -d , -f 1,2,18 | sed 's: [0-9]/[0-9]$::'; console 'disable server b/a'; console 'show stat' | grep ^b,a | cut -d , -f 18
kill -USR2 "$(head -n 1 pid)"; until_ok sh -c 'grep -q "exited with code 0" err'; curl -s 127.0.0.1:8000/f
