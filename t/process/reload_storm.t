# Two hundred reloads under load lose no request, judge none wrongly, keep the limits and leak nothing.

use v5.36;

use lib 't/lib';

use List::Util qw(max min sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(request_bytes token_server);
use Test::Mesh::Process qw(private_kb);
use Test::Mesh::Server;

my $reloads = 200;
my $server = Test::Mesh::Server->start(<<'CONF' . token_server('calls rate=1r/h burst=999'),
include %%KEYS%%/issuers.conf;
mesh_zone 1m;
access_log off;
CONF
    workers => 2, main => 'worker_shutdown_timeout 2s;');
my $master = $server->master_pid;
my $good = request_bytes('/t', bearer());
my $bad = request_bytes('/t', bearer(key => 'other', issuer => 'https://idp.example'));
my $limited = request_bytes('/limited', bearer());
my %statuses = (good => 200, bad => 401, limited => 429);
my $began = time;
my %load = map { $_->[0] => begin_storm($_->@[1 .. $#$_]) } (
    [good => [$good], 0, 0.002], [kept => [$good], 1, 0.002], [bad => [$bad], 0, 0.01],
    [limited => [$limited], 1, 0.002],
);
my (@seconds, %after);
for my $number (1 .. $reloads) {
    my %old = map { $_ => 1 } workers();
    my $from = time;
    $server->signal('HUP');
    # As fast as it can: the old workers may not be gone yet.
    until ((my @new = grep { !$old{$_} } workers()) == 2) {
        die "no new workers within 120 s\n" . $server->error_log if time > $from + 120;
        sleep 0.001;
    }
    push @seconds, time - $from;
    sleep max(0, 0.1 - (time - $from));
    next unless $number == 50 || $number == $reloads;
    # The master keeps a channel to each worker that has not gone yet.
    $server->await('the end of the old workers', sub { workers() == 2 });
    $after{$number} = footprint();
}
my $ours = 0;
$server->await('the limit', sub {
    my $status = $server->get('/limited', bearer())->{status};
    $ours++ if $status == 200;
    return $status == 429;
});
my %count = map { $_ => $load{$_}->stop } keys %load;
$count{limited}{200} += $ours;
my $took = time - $began;

@seconds = sort { $a <=> $b } @seconds;
note sprintf '%d reloads in %.1f s, until there are new workers: median %.0f ms, p99 %.0f ms, at most %.0f ms',
    $reloads, $took, map { 1000 * $seconds[ $_ * $#seconds ] } 0.5, 0.99, 1;
note sprintf '%d requests', sum0 map { values %$_ } values %count;
for my $name (qw(good kept bad)) {
    my $status = $statuses{$name} // 200;
    cmp_ok $count{$name}{$status}, '>', $reloads, "$name: requests were sent all the time";
    is_deeply [grep { $_ ne $status && $_ ne 'again' && $count{$name}{$_} } keys $count{$name}->%*], [],
        "$name: each one was answered by $status" or diag explain $count{$name};
}
# An answer on a kept connection may be lost to its end.
my ($lost, $hours) = ($count{limited}{again}, int $took / 3600);
cmp_ok $count{limited}{200}, '<=', 1000 + $hours, 'the limit counts over all reloads';
cmp_ok $count{limited}{200}, '>=', 1000 - $lost, '... and exactly';

my ($early, $late) = @after{50, $reloads};
note "after 50: " . join(', ', map { "$_ $early->{$_}" } sort keys %$early);
note "after $reloads: " . join(', ', map { "$_ $late->{$_}" } sort keys %$late);
cmp_ok $late->{master_kb}, '<=', $early->{master_kb} + 512, 'the memory of the master is flat';
cmp_ok $late->{worker_kb}, '<=', $early->{worker_kb} + 512, 'so is that of a worker';
is $late->{$_}, $early->{$_}, "the master has no more $_" for qw(files maps);

$server->await('the end of the old workers', sub { workers() == 2 });
pass 'all old workers end';
$server->stop;
done_testing;

sub begin_storm ($requests, $keepalive, $pause) {
    return Test::Mesh::Load->start($server->port, requests => $requests, keepalive => $keepalive,
        pause => $pause, clients => 1, is_loud => 1);
}

sub workers () { return split ' ', slurp("/proc/$master/task/$master/children", '') }

# What the master and the smallest worker take.
sub footprint () {
    return {
        master_kb => private_kb($master), worker_kb => min(map { private_kb($_) // () } workers()),
        files => scalar(() = glob "/proc/$master/fd/*"),
        maps => scalar(() = slurp("/proc/$master/maps") =~ /\n/g),
    };
}

