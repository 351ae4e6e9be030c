# perl: files, forks, pipes, signals, sockets, regular expressions.
# needs: perl
cd "$WORK"
cat > t.pl <<'HERE'
use strict; use warnings; use POSIX ":sys_wait_h"; use Socket; use IO::Handle;
$| = 1;
my %h = map { $_ => $_ ** 2 } 1 .. 10;
print join(",", map { "$_=$h{$_}" } sort { $a <=> $b } keys %h), "\n";
open(my $f, ">", "file") or die; print $f "line $_\n" for 1 .. 100; close $f;
open($f, "<", "file") or die; my @l = <$f>; close $f; print scalar(@l), " $l[99]";
print "kid: ", `echo from a shell; exit 3`, $? >> 8, "\n";
my @pids; for my $i (1 .. 10) { my $p = fork; if (!$p) { exit $i } push @pids, $p }
print join(" ", map { waitpid($_, 0); $? >> 8 } @pids), "\n";
pipe(my $r, my $w); if (!fork) { close $r; print $w "piped\n" x 1000; exit 0 } close $w;
my @got = <$r>; wait; print scalar(@got), "\n";
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select(undef, undef, undef, 3);
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; $a->autoflush(1);
print $a "over the socket\n"; print scalar <$b>;
my $text = "the quick brown fox" x 1000; my $n = () = $text =~ /\bquick\b/g; print "$n\n";
open(my $k, "-|", "sort", "-r", "file") or die; my $first = <$k>; print $first; close $k;
print "stat ", join(" ", (stat "file")[7, 3]), "\n"; mkdir "d"; rename "file", "d/g"; print -s "d/g", "\n";
print sprintf("%.10f %s\n", atan2(1, 1) * 4, strftime("%Y", gmtime(0)));
die "the end\n";
HERE
perl t.pl 2>&1; echo "status $?"
