# A worker that is killed harms no limit and no key: what it counted stays counted, who comes after
# it has the newest keys.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(request_bytes token_server);
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
chmod 0755, $dir;
new_keys($dir, 'a' .. 'f');
replace("$dir/keys.json", slurp("$dir/a.set"));

my $conf = <<"CONF" . token_server('calls rate=1r/m burst=3999');
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $dir/keys.json;
}
mesh_zone 1m;
access_log off;
CONF
my $killed = qr/exited on signal 9/;
my $server = Test::Mesh::Server->start($conf, workers => 2, name => 'two workers', expected => [$killed]);
my ($limited, $other) = map { bearer(key => "$dir/a.jwk", subject => $_) } qw(limited other);
my $began = time;
my @loads = map {
    Test::Mesh::Load->start($server->port, requests => [request_bytes('/limited', $limited)],
        clients => 2, keepalive => $_, pause => 0.001)
} 0, 1;
my ($kills, %served) = (0);
while ($kills < 20) {
    sleep 0.05;
    my ($worker) = $server->worker_pids or next;
    kill 'KILL', $worker and $kills++;
    # The one that was not hit, or the next one.
    my $response = eval { $server->get('/limited', $other) };
    $served{ $response ? $response->{status} : 'none' }++;
}
$server->await('both workers', sub { $server->worker_pids == 2 });
is $server->get('/t', $other)->{status}, 200, "after $kills kills, requests are served";
my @pids = $server->worker_pids;

# What is left of the limit, at once.
my %count = (200 => 0);
$server->await('the limit', sub {
    my $status = $server->get('/limited', $limited)->{status};
    $count{$status}++;
    $status == 429;
});
for my $count (map { $_->stop } @loads) {
    $count{$_} += $count->{$_} for keys %$count;
}
my $took = time - $began;
# The one that comes back each minute.
my $most = 4000 + int $took / 60;
note sprintf '%.1f s: %s', $took, join ', ', map { "$_: $count{$_}" } sort keys %count;
cmp_ok $count{200}, '<=', $most, 'no more is admitted than the limit allows';
cmp_ok $count{200} + $count{failed} + $count{again}, '>=', 4000,
    'and no less, but for those whose answer a dead worker owes';
is_deeply [grep { !/\A(?:200|429|failed|again)\z/ } keys %count], [], 'and nothing is answered otherwise';
cmp_ok $count{429}, '>', 0, 'the limit was reached';
is $server->get('/limited', $limited)->{status}, 429, 'it still is';
is join(' ', sort keys %served) =~ s/ ?none//r, '200', 'another service is served all the time';
is join(' ', sort $server->worker_pids), join(' ', sort @pids), 'and nobody is killed by something else';
$server->stop;

# One worker, so that each request meets the one that was begun last.
$server = Test::Mesh::Server->start($conf, name => 'one worker', expected => [$killed]);
for my $pair (map { [$_, chr 1 + ord] } 'a' .. 'e') {
    my ($old, $new) = map { bearer(key => "$dir/$_.jwk") } @$pair;
    is $server->get('/t', $old)->{status}, 200, "key $pair->[0] is in force";
    replace("$dir/keys.json", slurp("$dir/$pair->[1].set"));
    my ($worker) = $server->worker_pids;
    # Nobody has looked at the file since.
    $server->signal('KILL', $worker);
    $server->await('another worker', sub { ($server->worker_pids)[0] // $worker != $worker });
    is $server->get('/t', $old)->{status}, 401, "the next worker refuses it after a rotation";
    is $server->get('/t', $new)->{status}, 200, "and has key $pair->[1]";
}

# The master has the keys of the last reload, which were given up long ago; the workers share those that
# were in force last.
spew("$dir/keys.json", '{');
for my $number (1 .. 2) {
    my ($worker) = $server->worker_pids;
    $server->signal('KILL', $worker);
    $server->await('another worker', sub { ($server->worker_pids)[0] // $worker != $worker });
    is $server->get('/t', bearer(key => "$dir/f.jwk"))->{status}, 200, "death $number: a bad file takes no key away";
    is $server->get('/t', bearer(key => "$dir/a.jwk"))->{status}, 401, 'and revives none';
}
$server->await_log(qr/\[error\].*"\Q$dir\E\/keys.json" is not usable at the start of a worker, which goes on with/);
replace("$dir/keys.json", slurp("$dir/a.set"));
$server->await('the keys', sub { $server->get('/t', bearer(key => "$dir/a.jwk"))->{status} == 200 });
is $server->get('/t', bearer(key => "$dir/f.jwk"))->{status}, 401, 'until the file is good again';

# What a reload has read is what a worker begins with afterwards, whatever its file has become.
replace("$dir/keys.json", slurp("$dir/b.set"));
$server->reload;
spew("$dir/keys.json", '{');
my ($worker) = $server->worker_pids;
$server->signal('KILL', $worker);
$server->await('another worker', sub { ($server->worker_pids)[0] // $worker != $worker });
is $server->get('/t', bearer(key => "$dir/b.jwk"))->{status}, 200, 'the keys of the reload are in force';
is $server->get('/t', bearer(key => "$dir/a.jwk"))->{status}, 401, 'and not those before it';
$server->stop;
done_testing;
