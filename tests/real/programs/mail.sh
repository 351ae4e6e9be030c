# Mail: Postfix takes letters by SMTP and from sendmail, Dovecot shows them by IMAP.
# needs: postfix dovecot doveadm swaks curl useradd
# apart
# long
. "$SOURCES/lib/server.sh"
chmod 755 .; useradd -m -s /bin/bash mailuser && echo mailuser:secret | chpasswd
mkdir etc q pfdata && cp -r /etc/postfix/. etc && chown postfix pfdata
[ -s etc/master.cf ] || cp /usr/share/postfix/master.cf.dist etc/master.cf
postconf -c etc -e maillog_file=/var/log/pf.log maillog_file_prefixes=/var queue_directory="$WORK/q" \
  data_directory="$WORK/pfdata" mydestination=localhost,test.test myhostname=test.test inet_interfaces=127.0.0.1 \
  home_mailbox=Maildir/ mynetworks=127.0.0.0/8 alias_maps= alias_database= compatibility_level=3.6
sed -i 's/^smtp      inet/2525      inet/' etc/master.cf; echo 127.0.0.1 localhost test.test >> /etc/hosts
postfix -c "$WORK/etc" start > start.log 2>&1; echo "started $?"
send() { swaks --server 127.0.0.1:2525 --from a@x.test --hide-all "$@"; echo "sent $?"; }
for i in 1 2 3; do send --to mailuser@test.test --header "Subject: m$i"; done; send --to nobody2@test.test
echo body | sendmail -C "$WORK/etc" mailuser@test.test
new=/home/mailuser/Maildir/new; until_ok sh -c "[ \$(ls $new | wc -l) = 4 ]"; ls $new | wc -l
postqueue -c "$WORK/etc" -p
cat > d.conf <<HERE
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = $WORK/dv
log_path = $WORK/d.log
protocols = imap
ssl = no
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
default_login_user = nobody
default_internal_user = nobody
passdb pam {
}
userdb passwd {
}
service imap-login {
  inet_listener imap {
    port = 1430
  }
  inet_listener imaps {
    port = 0
  }
}
HERE
bg dovecot -F -c "$WORK/d.conf" > d.out 2>&1; until_ok curl -s imap://127.0.0.1:1430 -X CAPABILITY
imap() { curl -s --user mailuser:secret "imap://127.0.0.1:1430/$1" "${@:2}" | tr -d '\r'; }
imap ''; imap 'INBOX' -X 'SEARCH ALL'; imap 'INBOX;UID=1' | grep -c 'This is a test mailing'
curl -s --user mailuser:wrong imap://127.0.0.1:1430/; echo "wrong $?"
doveadm -c d.conf mailbox status -u mailuser messages INBOX
postfix -c "$WORK/etc" stop > stop.log 2>&1; echo "stopped $?"
