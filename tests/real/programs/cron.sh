# cron runs a job with its PAM session; supervisord starts, restarts and gives up.
# needs: cron crontab supervisord supervisorctl
# apart
# slow
. "$SOURCES/lib/server.sh"
echo "* * * * * id -u > $WORK/ran; cat /proc/self/loginuid >> $WORK/ran" | crontab -
crontab -l | wc -l; bg cron -f
cat > s.conf <<HERE
[supervisord]
nodaemon=true
logfile=$WORK/sup.log
pidfile=$WORK/sup.pid
[unix_http_server]
file=$WORK/sup.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://$WORK/sup.sock
[program:a]
command=sleep 100
[program:b]
command=sh -c "exit 1"
startretries=1
HERE
ctl() { supervisorctl -c "$WORK/s.conf" "$@"; }
is() { ctl status "$1" | grep -q "$2"; }
bg supervisord -c s.conf > /dev/null 2>&1; until_ok is a RUNNING; until_ok is b FATAL
ctl status | awk '{ print $1, $2 }'; ctl restart a; ctl shutdown
until_ok test -s ran; sleep 1; cat ran
