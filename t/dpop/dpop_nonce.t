# A proof can be asked to carry a nonce of the server, which all workers know and time renews.

use v5.36;

use lib 't/lib';

use Test::More;
use Time::HiRes qw(time);

use Test::Mesh::Credentials;
use Test::Mesh::Load qw(each_worker);
use Test::Mesh::Response;
use Test::Mesh::Server;

my $conf = <<'CONF';
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    add_header X-Worker $pid always;
    location = /worker { empty_gif; }
    location / { mesh_authenticate token; mesh_dpop_nonce on lifetime=1d; empty_gif; }
    location /plain { mesh_authenticate token; empty_gif; }
    location /brief {
        mesh_authenticate token;
        mesh_dpop_nonce on lifetime=2s;
        empty_gif;
        location /brief/off { mesh_dpop_nonce off; empty_gif; }
    }
}
CONF
my $killed = qr/exited on signal 9/;
my $server = Test::Mesh::Server->start($conf, workers => 2, expected => [$killed]);

# The nonce that an answer hands out.
sub nonce ($response) { return $response->{headers}{'dpop-nonce'} }

my $asked = $server->get_proven('/a');
is verdict($asked), '401 dpop_nonce', 'without a nonce';
like $asked->{headers}{'www-authenticate'},
    qr/DPoP realm="mesh", error="use_dpop_nonce", error_description="[^"]+", algs="[\w ]+"\z/, '... one is asked for';
my $nonce = nonce($asked);
like $nonce, qr/\A[\w-]{22}\z/, '... and handed out';
my $admitted = $server->get_proven('/a', nonce => $nonce);
is verdict($admitted), 200, 'with it';
is nonce($admitted), undef, '... there is nothing to hand out';
is verdict($server->get_proven('/b', nonce => $nonce)), 200, 'it is good for other requests as well';
for my $other ('made-up', 'A' x 22, $nonce . 'A', uc $nonce, ' ') {
    my $response = $server->get_proven('/a', nonce => $other);
    is verdict($response), '401 dpop_nonce', 'with another one';
    is nonce($response), $nonce, '... it is the same that is handed out';
}
is verdict($server->get_proven('/plain')), 200, 'where none is asked for, none is needed';
is nonce($server->get_proven('/plain', nonce => 'x')), undef, '... nor looked at, or handed out';
is verdict($server->get_proven('/brief/off')), 200, '... nor where a location does without';
is verdict($server->get('/a', bearer())), 200, 'a token that is not bound needs none';
is nonce($server->get_proven('/a', nonce => $nonce, method => 'POST')), undef, 'a proof that is wrong otherwise is not worth one';
my @once = dpop(url => 'http://localhost/a', nonce => $nonce);
is verdict($server->get('/a', @once)), 200, 'a proof with a nonce';
is verdict($server->get('/a', @once)), '401 dpop_replayed', '... counts once all the same';

# All workers, those after a reload, and those after a dead one.
sub in_all_workers ($name) {
    my $clients = each_worker($server, '/worker');
    my @told = map {
        verdict($_->[0]->request('GET', '/a', headers => [dpop(url => 'http://localhost/a', nonce => $nonce)]))
    } values %$clients;
    is_deeply \@told, [200, 200], $name;
    $_->close for map { @$_ } values %$clients;
    return;
}
in_all_workers('each worker knows it');
$server->reload;
in_all_workers('... also after a reload');
my @workers = $server->worker_pids;
$server->signal('KILL', $workers[0]);
$server->await('another worker', sub {
    my @now = $server->worker_pids;
    return @now == 2 && !grep { $_ == $workers[0] } @now;
});
in_all_workers('... and after one was killed');

# Time renews it: first a new one is handed out beside the answer, then the old one is refused.
isnt nonce($server->get_proven('/brief')), $nonce, 'a nonce of another lifetime is another';
my $renewed;
for my $attempt (1 .. 20) {
    my $old = nonce($server->get_proven('/brief'));
    my ($fresh, $tries) = (undef, 0);
    # A loaded machine may miss the stretch in which both count.
    until ($fresh || $tries++ > 200) {
        my $response = $server->get_proven('/brief', nonce => $old);
        last if $response->{status} != 200;
        $fresh = nonce($response);
    }
    next unless $fresh;
    isnt $fresh, $old, 'a nonce that is old is renewed beside an answer';
    $renewed = $old;
    last;
}
ok $renewed, '... within its lifetime';
$server->await('the end of a nonce', sub { verdict($server->get_proven('/brief', nonce => $renewed)) eq '401 dpop_nonce' });
pass 'then it counts no more';
$server->stop;

# Another start has another secret.
$server = Test::Mesh::Server->start($conf, workers => 2, name => 'another start');
is verdict($server->get_proven('/a', nonce => $nonce)), '401 dpop_nonce', 'another server knows nothing of it';
$server->stop;
done_testing;
