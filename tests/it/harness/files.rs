//! The configuration of the Dovecot and the Postfix of the tests. `{D}` is their folder, the rest are ports.

pub const DOVECOT: &str = "\
base_dir = {D}/dovecot/run
state_dir = {D}/dovecot/run
log_path = {D}/dovecot/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{D}/cert.pem
ssl_key = <{D}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:{D}/dovecot/mail/%n
mail_uid = nobody
mail_gid = nogroup
mail_max_userip_connections = 1000
first_valid_uid = 1
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
{CAPABILITY}
passdb {
  driver = static
  args = password=pw
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home={D}/dovecot/mail/%n allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
}
service imap-login {
  chroot =
  inet_listener imap {
    port = {IMAP}
  }
  inet_listener imaps {
    port = {IMAPS}
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = {LMTP}
  }
}
service auth {
  inet_listener sasl {
    address = 127.0.0.1
    port = {SASL}
  }
}
service anvil {
  chroot =
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
";

pub const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = {D}/postfix/spool
data_directory = {D}/postfix/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.lab.test
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
virtual_mailbox_domains = bssn.test, warga.example, stake.test
virtual_transport = lmtp:inet:127.0.0.1:{LMTP}
default_transport = nowhere
recipient_delimiter = +
maillog_file_prefixes = {D}
maillog_file = {D}/postfix/log
smtpd_tls_cert_file = {D}/cert.pem
smtpd_tls_key_file = {D}/key.pem
smtpd_tls_security_level = encrypt
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{SASL}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
message_size_limit = 60000000
";

pub const MASTER_CF: &str = "\
127.0.0.1:{SUB} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
nowhere unix - n n - - pipe
  user=nobody argv=/bin/sh -c {exit 68}
";
