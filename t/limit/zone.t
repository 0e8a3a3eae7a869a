# mesh_zone is the memory of the limits: of a size that works, kept over a reload, and never full.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;

config_accepted("mesh_zone $_;", "$_ is a size") for qw(64k 65536 64K 1m 8M 100m);
config_accepted('', 'there is a default');
refused_at("mesh_zone $_; # here\n", qq(size "$_" is too small, at least 64k)) for qw(0 1 8k 63k 65535);
refused_at("mesh_zone 8m;\nmesh_zone 8m; # here\n", 'mesh_zone: is duplicate');
config_refused('mesh_zone 1m; limit_req_zone $host zone=mesh:1m rate=1r/s;', qr/"mesh"/, 'nobody else has a zone "mesh"');
config_refused('limit_req_zone $host zone=mesh:1m rate=1r/s; mesh_zone 1m;', qr/"mesh"/, '... whoever comes first');

sub zone_conf ($zone) {
    return <<'CONF' =~ s/%%ZONE%%/$zone/r;
include %%KEYS%%/issuers.conf;
%%ZONE%%
keepalive_requests 100000;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    mesh_authenticate token;
    location / { mesh_limit calls rate=1r/h burst=1; empty_gif; }
    location /many { mesh_limit many rate=1r/h key=$arg_key; mesh_log_level info; empty_gif; }
}
CONF
}

subtest 'reload' => sub {
    my $server = Test::Mesh::Server->start(zone_conf('mesh_zone 1m;'), name => 'reload');
    is_deeply verdicts($server, '/', (bearer()) x 3), ['200', '200', '429 limited'], 'a limit is reached';
    $server->reload;
    is_deeply verdicts($server, '/', (bearer()) x 1), ['429 limited'], 'with the same size it is kept';
    $server->reload(zone_conf("mesh_zone 1024k;\n# The same in other words."));
    is_deeply verdicts($server, '/', (bearer()) x 1), ['429 limited'], '... in other words, too';
    $server->reload(zone_conf('mesh_zone 2m;'));
    is_deeply verdicts($server, '/', (bearer()) x 3), ['200', '200', '429 limited'], 'with another size it begins anew';
    $server->reload(zone_conf(''));
    is_deeply verdicts($server, '/', (bearer()) x 3), ['200', '200', '429 limited'], '... and so with the default, which is 8m';
    $server->reload(zone_conf('mesh_zone 8m;'));
    is_deeply verdicts($server, '/', (bearer()) x 1), ['429 limited'], '... as one sees';
    ok !eval { $server->reload(zone_conf('mesh_zone 1k;')); 1 }, 'a reload that is refused';
    $server->expect_log('size "1k" is too small');
    is_deeply verdicts($server, '/', (bearer()) x 1), ['429 limited'], '... changes nothing';
    $server->stop;
};

subtest 'a full zone' => sub {
    my $server = Test::Mesh::Server->start(zone_conf('mesh_zone 64k;'), name => 'full');
    my $client = $server->connect;
    my $header = bearer();
    # Each key is in debt for an hour, and there are more of them than 64k has room for.
    my $statuses = sub (@keys) {
        my %count;
        while (my @some = splice @keys, 0, 50) {
            $client->send(join '', map { "GET /many?key=$_ HTTP/1.1\r\nHost: a\r\n$header\r\n\r\n" } @some);
            $count{ $client->response->{status} }++ for @some;
        }
        return \%count;
    };
    is_deeply $statuses->(1 .. 100), { 200 => 100 }, 'keys are admitted';
    is_deeply $statuses->(1 .. 100), { 429 => 100 }, '... and then limited';
    is_deeply $statuses->(101 .. 6000), { 200 => 5900 }, 'a newcomer is admitted though there is no room';
    is_deeply $statuses->(1 .. 100), { 429 => 100 }, q(... and takes nobody else's place);
    cmp_ok $statuses->(5901 .. 6000)->{200}, '>', 0, '... nor has one of its own: the zone was full';
    $client->close;
    $server->stop;
};

done_testing;
