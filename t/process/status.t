# mesh_status answers with the state of the keys, to whom the location lets.

use v5.36;

use lib 't/lib';

use JSON::PP ();
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Documents;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF', workers => 2);
include %%KEYS%%/issuers.conf;
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /status { mesh_status; }
    location = /denied { mesh_status; deny all; }
    location = /token { mesh_status; mesh_authenticate token; }
    location /outer {
        mesh_status;
        location /outer/inner { empty_gif; }
    }
}
CONF

subtest 'the answer' => sub {
    my $response = $server->get('/status');
    is $response->{status}, 200, 'is there';
    is $response->{headers}{'content-type'}, 'application/json', 'of its type';
    is $response->{headers}{'cache-control'}, 'no-store', 'for nobody to keep';
    is length $response->{body}, $response->{headers}{'content-length'}, 'whole';
    my $status = JSON::PP::decode_json($response->{body});
    ok scalar(grep { $_ == $status->{pid} } $server->worker_pids), 'by a worker';
    my ($idp) = grep { $_->{name} eq 'idp' } $status->{issuers}->@*;
    is $idp->{issuer}, 'https://idp.example', 'with the issuers';
    is_deeply $idp->{source}, { kind => 'file', at => $idp->{source}{at} }, 'where their keys are';
    is_deeply [map { $_->{kid} } $idp->{keys}->@*], [kids(key_path('idp.jwks'))], 'the keys';
    ok !grep({ !$_->{algorithms}->@* } $idp->{keys}->@*), 'with their algorithms';
    is $idp->{generation}, 0, 'and the generation of those of files';
    is_deeply [$idp->@{qw(age last_error)}], [undef, undef], 'which have no age';
    is_deeply [map { [$_->{worker}, $_->{generations}] } $status->{workers}->@*], [[0, []], [1, []]],
        'nor a generation that all workers share';
    is join(' ', sort map { $_->{pid} } $status->{workers}->@*), join(' ', sort $server->worker_pids),
        'and all workers are there';
};

subtest 'methods' => sub {
    my $response = $server->request('HEAD', '/status');
    is $response->{status}, 200, 'HEAD';
    is $response->{body}, '', 'has no body';
    cmp_ok $response->{headers}{'content-length'}, '>', 100, 'but its length';
    is $server->request($_, '/status', body => 'a=b')->{status}, 405, "$_ is not allowed"
        for qw(POST PUT DELETE PATCH OPTIONS);
    is $server->request('GET', '/status', body => 'x' x 100_000)->{status}, 200, 'a body is read and forgotten';
    my $client = $server->connect;
    is $client->request('GET', '/status')->{status}, 200, 'on a connection that stays open' for 1 .. 3;
};

subtest 'who may see it' => sub {
    is $server->get('/denied')->{status}, 403, 'deny';
    is $server->get('/token')->{status}, 401, 'mesh_authenticate';
    is $server->get('/token', bearer())->{status}, 200, 'mesh_authenticate with a token';
    is $server->get('/outer')->{status}, 200, 'a location';
    is $server->get('/outer/inner')->{headers}{'content-type'}, 'image/gif', 'and none in it';
};
$server->stop;
done_testing;
