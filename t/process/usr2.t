# A binary upgrade (USR2, then QUIT) serves all the time and judges every request; only the
# counters start anew.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Load qw(request_bytes token_server);
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Process qw(children);
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start("include %%KEYS%%/issuers.conf;\n" . token_server('calls rate=1r/h burst=1'),
    workers => 2, main => 'worker_shutdown_timeout 5s;');
my @masters;
$server->start_daemon;
$server->await('a daemon', sub { $masters[0] = $server->daemon_pid and children($masters[0]) == 2 });
my @statuses = map { $server->get('/limited', bearer())->{status} } 1 .. 3;
is "@statuses", '200 200 429', 'a limit is reached';

my @loads = map { begin_loud($_->%*) }
    { keepalive => 0, requests => [request_bytes('/t', bearer())] },
    { keepalive => 1, requests => [request_bytes('/t', bearer())] },
    { keepalive => 0, requests => [request_bytes('/t', bearer(key => 'other', issuer => 'https://idp.example'))] };
my @old = children($masters[0]);
$server->signal('USR2', $masters[0]);
$server->await('a new master', sub {
    my $pid = $server->daemon_pid;
    $pid && $pid != $masters[0] and $masters[1] = $pid;
});
# The new master is a child of the old one.
$server->await('its workers', sub { children($masters[1]) == 2 });
is children($masters[0]), 3, 'the old workers are there still';
$server->await_requests(100);
$server->signal('QUIT', $masters[0]);
$server->await('the end of the old ones', sub { !grep { -d "/proc/$_" } @old, $masters[0] });
is children($masters[1]), 2, 'the new ones are alone';
$server->await_requests(100);
my ($fresh, $kept, $bad) = map { $_->stop } @loads;
for my $count ($fresh, $kept) {
    cmp_ok $count->{200}, '>', 0, 'requests were served meanwhile';
    is_deeply [grep { !/\A(?:200|again)\z/ && $count->{$_} } keys %$count], [], 'and none was lost'
        or diag explain $count;
}
is_deeply [grep { !/\A(?:401|again)\z/ && $bad->{$_} } keys %$bad], [], 'nor was a bad one admitted'
    or diag explain $bad;

@statuses = map { $server->get('/limited', bearer())->{status} } 1 .. 3;
is "@statuses", '200 200 429', 'the counters start anew';
$server->signal('QUIT', $masters[1]);
$server->await('its end', sub { !-d "/proc/$masters[1]" });
is join("\n", complaints($server->error_log)), '', 'error.log is clean';
@masters = ();
done_testing;

sub begin_loud (%options) {
    return Test::Mesh::Load->start($server->port, clients => 1, pause => 0.001, is_loud => 1, %options);
}

# They are nobody's children.
END {
    kill 'TERM', grep { defined && -d "/proc/$_" } @masters;
}
