# Podman: containers on its default bridge network reach each other and the machine, and it them.
# needs: podman crun conmon busybox curl ip
# slow
# apart
. "$SOURCES/lib/server.sh"
mkdir -p root/bin root/www; cp "$(command -v busybox)" root/bin/; echo page > root/www/index.html
for name in sh ip cat wget httpd sysctl; do ln -s busybox root/bin/$name; done
cat > c.conf <<HERE
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
static_dir = "$WORK/static"
tmp_dir = "$WORK/tmp"
volume_path = "$WORK/volumes"
[network]
network_config_dir = "$WORK/networks"
firewall_driver = "none"
HERE
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$WORK" "$WORK" > s.conf
export CONTAINERS_CONF="$WORK/c.conf" CONTAINERS_STORAGE_CONF="$WORK/s.conf" PODMAN_IGNORE_CGROUPSV1_WARNING=1 no_proxy=*
tar -C root -c . | podman import --quiet --change 'ENV PATH=/bin' - localhost/bb:1 > imported 2>&1; echo "import $?"
# A machine may have both versions of control groups, which crun does not take.
mount -t cgroup2 none /sys/fs/cgroup || exit
run() { podman run --cgroups=disabled "$@"; }
box=localhost/bb:1
run --rm --network none $box ip -o -4 addr | tr -s ' '
run -d --name server $box httpd -f -h /www > id; echo "server $?"
until_ok curl -sf http://10.88.0.2/; curl -s http://10.88.0.2/
run --rm $box sh -c 'ip -o -4 addr show eth0 | tr -s " " | cut -d " " -f 3-8; ip route; wget -qO- http://10.88.0.2/; wget -qO- http://10.88.0.1/ 2>&1'
ip -o -4 addr show podman0 | tr -s ' ' | cut -d ' ' -f 2-6; cat /proc/sys/net/ipv4/conf/podman0/rp_filter /proc/sys/net/ipv4/ip_forward
run --rm --sysctl net.ipv4.ip_default_ttl=77 $box sysctl net.ipv4.ip_default_ttl net.ipv4.conf.eth0.rp_filter
podman network create --subnet 10.99.0.0/24 --disable-dns other
run --rm --network other $box sh -c 'ip -o -4 addr show eth0 | tr -s " " | cut -d " " -f 4; wget -T 2 -qO- http://10.88.0.2/'
podman network rm other; podman rm -f -t 0 server; ip -o link show podman0 2>&1 | wc -l; podman ps -aq | wc -l
