# A proof counts once: for all workers at once, over a reload, and when a worker is killed.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Load qw(each_worker request_bytes tally);
use Test::Mesh::Response;
use Test::Mesh::Server;

sub proofs_conf ($zone) {
    return <<'CONF' =~ s/ZONE/$zone/r;
include %%KEYS%%/issuers.conf;
ZONE
mesh_log_level info;
keepalive_requests 100000;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:reuse%% reuseport;
    add_header X-Worker $pid always;
    add_header Reason $mesh_reason always;
    location = /worker { empty_gif; }
    # No proof expires while a busy machine gets on with this.
    location / { mesh_authenticate token; mesh_dpop accept max_age=9m; empty_gif; }
    # An error page that authenticates by settings of its own, and reads the identity before it is judged.
    location = /spent { mesh_authenticate token; mesh_dpop accept max_age=9m; error_page 401 = /shown; empty_gif; }
    location = /shown {
        mesh_authenticate token;
        mesh_dpop accept max_age=8m;
        set $seen $mesh_service;
        add_header Seen $seen always;
        empty_gif;
    }
    location /brief { mesh_authenticate token; mesh_dpop accept max_age=30s; empty_gif; }
}
CONF
}

my $token = bound();
my %sent = (token => $token, url => 'http://localhost/t');

my $killed = qr/exited on signal 9/;
my $server = Test::Mesh::Server->start(proofs_conf(''), workers => 2, name => 'two workers', expected => [$killed]);
for my $port ('', 'reuse') {
    my $clients = each_worker($server, '/worker', port => $port, each => 4);
    is keys %$clients, 2, 'both workers take part' . ($port && ', by reuseport');
    my @all = map { @$_ } values %$clients;
    my @proofs = map { [dpop(%sent)] } 1 .. 8;
    for my $proof (@proofs) {
        my $each = int 200 / @all + 1;
        my $count = tally(\@all, (request_bytes('/t', @$proof)) x $each);
        is_deeply $count, { 200 => 1, 401 => $each * @all - 1 }, 'of ' . $each * @all . ' copies at once, one is admitted';
    }
    is_deeply tally(\@all, map { request_bytes('/t', @$_) } @proofs), { 401 => @proofs * @all }, 'none of them again';
    $_->close for @all;
}
is verdict($server->get('/t', bearer())), 200, 'tokens without one come as often as they like';

my @spent = dpop(%sent, url => 'http://localhost/spent');
is verdict($server->get('/spent', @spent)), 200, 'a proof is used up';
my $shown = $server->get('/spent', @spent);
is verdict($shown), 401, '... and refused on an error page as well';
is $shown->{headers}{seen}, undef, '... which does not learn who sent it';

my @proof = dpop(%sent);
my @brief = dpop(%sent, url => 'http://localhost/brief');
is verdict($server->get('/t', @proof)), 200, 'before a reload';
is verdict($server->get('/brief', @brief)), 200, '... everywhere';
$server->reload;
is verdict($server->get('/t', @proof)), '401 dpop_replayed', '... and not after it';
$server->reload(proofs_conf("mesh_dpop_zone 1024k;\n# The same in other words."));
is verdict($server->get('/t', @proof)), '401 dpop_replayed', '... nor after another';
is verdict($server->get('/brief', @brief)), '401 dpop_replayed', '... anywhere';
is verdict($server->get('/t', dpop(%sent))), 200, '... where new ones are admitted';

for my $round (1 .. 3) {
    my @workers = $server->worker_pids;
    my @used = map { [dpop(%sent)] } 1 .. 4;
    is verdict($server->get('/t', @$_)), 200, 'before a worker is killed' for @used;
    $server->signal('KILL', $_) for @workers;
    $server->await('other workers', sub {
        my %now = map { $_ => 1 } $server->worker_pids;
        return keys %now == 2 && !grep { $now{$_} } @workers;
    });
    is verdict($server->get('/t', @$_)), '401 dpop_replayed', '... and not after it' for @used, \@proof;
    is verdict($server->get('/t', dpop(%sent))), 200, '... where new ones are admitted';
}

# New memory knows nothing of what was used before it was there, so it does not believe it.
my $before = dpop_at(time);
is verdict($server->get('/t', @$before)), 200, 'before the memory changes its size';
my $at = time;
sleep 1 while time < $at + 2;
$server->reload(proofs_conf('mesh_dpop_zone 2m;'));
is verdict($server->get('/t', @$before)), '401 dpop_stale', '... what was used before is not believed';
is verdict($server->get('/t', dpop(%sent))), 200, '... and what is made from now on, is';
# An age that grows would let what was forgotten in: what is kept, is known.
my @kept = dpop(%sent);
is verdict($server->get('/t', @kept)), 200, 'before proofs count for longer';
$server->reload(proofs_conf('mesh_dpop_zone 2m;') =~ s/max_age=30s/max_age=10m/r);
is verdict($server->get('/t', @kept)), '401 dpop_replayed', '... what is kept is known';
$server->stop;

# A key that has its share of the memory is refused, nobody else is, and nothing is forgotten.
$server = Test::Mesh::Server->start(proofs_conf('mesh_dpop_zone 64k;'), name => 'share');
my @many = map { [dpop(%sent, token => $token)] } 1 .. 12;
is verdict($server->get('/t', @$_)), 200, 'there is room' for @many;
exhaust_share($server);
is verdict($server->get('/t', @$_)), '401 dpop_replayed', '... and what was there is known' for @many;
is verdict($server->get('/t', dpop(%sent))), 200, '... and another key has room';
$server->expect_log(qr/reason: dpop_share_full/);
$server->stop;
done_testing;

sub dpop_at ($at) { return [dpop(%sent, at => $at)] }

# Sends more proofs than one key may have there, by a key whose private half is known to the test.
sub exhaust_share ($server) {
    require Test::Mesh::Prover;
    my $prover = Test::Mesh::Prover->new;
    my $bound = token(jkt_of => key_path('es256.jwk'));
    my $client = $server->connect;
    my %count;
    for my $batch (1 .. 60) {
        my @requests = map {
            request_bytes('/t', "Authorization: DPoP $bound", 'DPoP: ' . $prover->prove($bound, 'http://localhost/t'))
        } 1 .. 100;
        my $told = tally([$client], @requests);
        $count{$_} += $told->{$_} for keys %$told;
        last if ($count{429} // 0) > 100;
    }
    $client->close;
    is_deeply [sort keys %count], [200, 429], 'then there is none: ' . join ', ', map { "$_: $count{$_}" } sort keys %count;
    cmp_ok $count{200}, '>', 64 * 1024 / 16 / 16 / 4, '... after a part of its share';
    cmp_ok $count{200}, '<=', 64 * 1024 / 16 / 16, '... which is a sixteenth';
    my $response = $server->get('/t', "Authorization: DPoP $bound", 'DPoP: ' . $prover->prove($bound, 'http://localhost/t'));
    is $response->{headers}{'retry-after'}, 2, 'it is told when to return' if $response->{status} == 429;
    return;
}
