# Keys come from a server: one worker fetches, all have them, and a rotation needs no reload.

use v5.36;

use lib 't/lib';

use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::Issuer;
use Test::Mesh::Load qw(await_all each_worker request_bytes statuses token_server);
use Test::Mesh::Server;

my $servers = token_server();
my $issuer = Test::Mesh::Issuer->start('a');
my %of = map { $_ => bearer(key => $issuer->key($_), issuer => 'https://idp.example') } 'a' .. 'f';

subtest 'a key set is fetched once for all workers' => sub {
    my $server = Test::Mesh::Server->start($issuer->block('idp', 'refresh 1h;') . $servers, workers => 3);
    my $clients = each_worker($server, '/t');
    is keys %$clients, 3, 'three workers';
    await_all($server, 200, $clients, '/t', $of{a});
    is $issuer->fetches, 1, 'one fetch';
    my $status = $server->mesh_status;
    my ($idp) = $status->{issuers}->@*;
    is_deeply [map { $_->{kid} } $idp->{keys}->@*], ['a'], 'the status shows the key';
    is_deeply $idp->{source}, { kind => 'jwks', at => $issuer->url }, 'where it is from';
    is $idp->{stale}, JSON::PP::false, 'that it counts';
    is_deeply [map { $_->{generations}[0]{generation} } $status->{workers}->@*], [(1) x 3], 'and that all have it';
    $server->stop;
};

subtest 'a rotation' => sub {
    my $server = Test::Mesh::Server->start($issuer->block('idp', 'refresh 1s; min_refresh 1s;') . $servers, workers => 2);
    my $clients = each_worker($server, '/t');
    await_all($server, 200, $clients, '/t', $of{a});
    $issuer->publish('a', 'b');
    await_all($server, 200, $clients, '/t', $of{b});
    is statuses($clients, '/t', $of{a}), '200 200', 'the key before is there still';
    $issuer->publish('b');
    await_all($server, 401, $clients, '/t', $of{a});
    is statuses($clients, '/t', $of{b}), '200 200', 'and the next one without it';
    cmp_ok $server->mesh_status->{issuers}[0]{generation}, '>=', 3, 'each of which is a generation';
    my $load = Test::Mesh::Load->start($server->port, requests => [request_bytes('/t', $of{b})], clients => 2,
        pause => 0.002);
    my $fetches = $issuer->fetches;
    $server->await('fetches', sub { $issuer->fetches >= $fetches + 3 });
    is_deeply [grep { !/\A(?:200|again|failed)\z/ } keys $load->stop->%*], [], 'refreshing refuses nothing';
    $server->stop;
};

subtest 'a key that nobody has yet' => sub {
    $issuer->publish('b');
    my $server = Test::Mesh::Server->start($issuer->block('idp', 'refresh 1h; min_refresh 1s;') . $servers, workers => 2);
    my $clients = each_worker($server, '/t');
    await_all($server, 200, $clients, '/t', $of{b});
    my $fetches = $issuer->fetches;
    $issuer->publish('b', 'c');
    my $first = $server->get('/t', $of{c});
    is $first->{status}, 401, 'is refused';
    is $first->{headers}{reason}, 'unknown_key', 'by name';
    await_all($server, 200, $clients, '/t', $of{c});
    is $issuer->fetches, $fetches + 1, 'after one fetch that nobody asked for otherwise';

    # Whoever makes names up gets no more than a fetch each min_refresh.
    my $began = time;
    $fetches = $issuer->fetches;
    for my $number (1 .. 30) {
        my $made_up = bearer(key => $issuer->key('d'), issuer => 'https://idp.example', kid => "made-up-$number");
        is $server->get('/t', $made_up)->{status}, 401, 'made up' if $number == 1;
        $server->get('/t', $made_up) if $number > 1;
    }
    sleep 1.5;
    cmp_ok $issuer->fetches - $fetches, '<=', 2 + (time - $began), 'names that are made up cause few fetches';
    is statuses($clients, '/t', $of{c}), '200 200', 'and harm nobody';
    $server->stop;
};

subtest 'a server that is away' => sub {
    $issuer->publish('c');
    my $server = Test::Mesh::Server->start(
        $issuer->block('idp', 'refresh 1s; min_refresh 1s; max_stale 4s;') . $servers, workers => 2,
        expected => [qr/mesh_issuer "idp"/]);
    my $clients = each_worker($server, '/t');
    await_all($server, 200, $clients, '/t', $of{c});
    $issuer->down;
    $server->await('a fault', sub { $server->mesh_status->{issuers}[0]{last_error} });
    is statuses($clients, '/t', $of{c}), '200 200', 'leaves the last good keys in force';
    await_all($server, 503, $clients, '/t', $of{c});
    my $response = $server->get('/t', $of{c});
    is $response->{headers}{reason}, 'keys_unavailable', 'until they are too old';
    is $response->{headers}{'retry-after'}, 5, 'which names a time to come again';
    my ($idp) = $server->mesh_status->{issuers}->@*;
    ok $idp->{stale}, 'the status says that they are';
    like $idp->{last_error}{word}, qr/\A[a-z_]+\z/, 'why';
    cmp_ok $idp->{last_error}{seconds_ago}, '<', 60, 'and since when';
    $issuer->up;
    await_all($server, 200, $clients, '/t', $of{c});
    pass 'they are back when the server is';
    $server->stop;
};
$issuer->stop;
done_testing;

