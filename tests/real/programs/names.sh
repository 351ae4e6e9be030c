# Servers of names: BIND with a zone that is read, transferred and updated; unbound and dnsmasq in front of it.
# needs: named dig nsupdate unbound dnsmasq
# apart
# slow
. "$SOURCES/lib/server.sh"
chmod 777 .
cat > named.conf <<HERE
options { directory "$WORK"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 { none; };
  pid-file "$WORK/named.pid"; recursion no; session-keyfile "$WORK/sk"; managed-keys-directory "$WORK"; };
controls { };
zone "example.test" { type primary; file "$WORK/zone"; allow-update { any; }; allow-transfer { any; }; };
HERE
cat > zone <<HERE
\$TTL 60
@ IN SOA ns.example.test. root.example.test. 1 60 60 60 60
@ IN NS ns
ns IN A 127.0.0.1
w IN A 10.1.2.3
w IN AAAA fd00::1
t IN TXT "hello world"
HERE
chown -R bind .; named-checkconf named.conf; named-checkzone example.test zone | tail -n 1
d() { local p="$1"; shift; dig @127.0.0.1 -p "$p" +tries=2 +time=5 +noall +answer "$@"; }
answers() { d "$@" | grep -q IN; }
bg named -f -c "$WORK/named.conf" -u bind > named.log 2>&1; until_ok answers 5300 w.example.test
d 5300 w.example.test A; d 5300 +tcp w.example.test AAAA; d 5300 t.example.test TXT; d 5300 example.test AXFR
d 5300 nope.example.test +comments | grep -o 'status: [A-Z]*'
printf 'server 127.0.0.1 5300\nzone example.test\nupdate add n.example.test 60 A 10.9.9.9\nsend\n' | nsupdate
echo "updated $?"; d 5300 n.example.test
cat > unbound.conf <<HERE
server:
 interface: 127.0.0.1@5301
 do-not-query-localhost: no
 chroot: ""
 username: ""
 directory: "$WORK"
 pidfile: "$WORK/ub.pid"
 use-syslog: no
 logfile: "$WORK/ub.log"
 num-threads: 2
 local-zone: "test." nodefault
 domain-insecure: "test."
 module-config: "iterator"
stub-zone:
 name: "example.test"
 stub-addr: 127.0.0.1@5300
remote-control:
 control-enable: yes
 control-interface: $WORK/ub.sock
HERE
bg unbound -d -c unbound.conf; until_ok answers 5301 w.example.test
d 5301 +short w.example.test; d 5301 +short t.example.test TXT; unbound-control -c unbound.conf flush example.test
bg dnsmasq -k -p 5302 --no-hosts --no-resolv --address=/foo.test/1.2.3.4 --server=/example.test/127.0.0.1#5300 \
  --listen-address=127.0.0.1 --bind-interfaces --user=root --pid-file= --conf-file=/dev/null 2> dm.log
until_ok answers 5302 foo.test; d 5302 +short foo.test; d 5302 +short w.example.test; d 5302 +tcp +short w.example.test
