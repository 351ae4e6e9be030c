# A web server under wrk: static files, a proxy, TLS, new configuration under load, no failed
# request.
# needs: nginx wrk curl openssl python3
# apart
# slow
. "$SOURCES/lib/server.sh"
mkdir w && chmod 755 . w && noise 1024 > w/small && noise 3000000 > w/big
openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 -subj /CN=localhost \
  2> /dev/null
cat > n.conf <<HERE
daemon off; worker_processes 2; pid $WORK/n.pid; error_log $WORK/e.log; user root;
events { worker_connections 512; }
http {
  access_log $WORK/a.log; sendfile on; keepalive_requests 1000000;
  client_body_temp_path $WORK/t1; proxy_temp_path $WORK/t2; fastcgi_temp_path $WORK/t3;
  uwsgi_temp_path $WORK/t4; scgi_temp_path $WORK/t5;
  upstream back { server 127.0.0.1:8081; keepalive 8; }
  server { listen 127.0.0.1:8080 backlog=1024; root $WORK/w;
    location /p/ { proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection ""; } }
  server { listen 127.0.0.1:8081; access_log off; root $WORK/w; gzip on; gzip_types *; }
  server { listen 127.0.0.1:8443 ssl; root $WORK/w;
    ssl_certificate $WORK/c.pem; ssl_certificate_key $WORK/k.pem; } }
HERE
nginx -t -q -c "$WORK/n.conf" -e "$WORK/e.log"; echo "configuration $?"
bg nginx -c "$WORK/n.conf" -e "$WORK/e.log"; until_ok curl -sf 127.0.0.1:8080/small
at=http://127.0.0.1:8080
for url in $at/small $at/big $at/p/big; do curl -s $url | sha256sum; done
curl -s --cacert c.pem --resolve localhost:8443:127.0.0.1 https://localhost:8443/big | sha256sum
curl -s --compressed -o /dev/null -w '%{http_code} %{size_header}\n' $at/none | cut -c 1-3
curl -s -r 100-109 $at/small | od -An -tx1; curl -sI $at/big | grep -i length
# load SECONDS URL: wrk, and whether a request failed.
load() {
  wrk -t 2 -c 32 -d "$1" "$2" > wrk.log
  grep -E 'Non-2xx|Socket errors' wrk.log | grep -v 'read 0, write 0' | sed 's/^/BAD/'
  awk '/requests in/ { print ($1 > 0 ? "served" : "nothing served") }' wrk.log
}
t=$(pick 1 10)
load "$t" $at/small; load "$t" $at/big; load "$t" $at/p/small
load "$t" https://127.0.0.1:8443/small
echo "== reloaded under load"
wrk -t 1 -c 8 -d "$((t + 1))" $at/small > reload.log & wrk=$!
for _ in 1 2 3; do
  old=$(pgrep -P "$(cat n.pid)" | head -n 1); kill -HUP "$(cat n.pid)"
  until_ok sh -c "! grep -q '^State:.*[^Z]' /proc/$old/status 2> /dev/null || ! kill -0 $old"
done
wait "$wrk"; grep -cE 'Non-2xx' reload.log
until_ok sh -c "[ \$(pgrep -P $(cat n.pid) | wc -l) = 2 ]" && echo "two workers"
kill -USR1 "$(cat n.pid)"; kill -QUIT "$(cat n.pid)"; wait; grep -cE 'emerg|alert' e.log
