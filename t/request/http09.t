# HTTP/0.9 and a refused request line: requests for which Nginx made no list of headers, and whose
# peer has an identity all the same.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $url = $upstream->url;

my $server = Test::Mesh::Server->start(<<"CONF");
server {
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate certificate;
    error_page 400 /refused;
    location / { proxy_pass $url; }
}
CONF

my $identity = qr{^X-Mesh-Service: spiffe://prod\.example/ns/shop/sa/orders-api\r$}m;

for ([ 'HTTP/0.9', "GET /t\r\n" ], [ 'a refused request line', "NONSENSE\r\n\r\n" ]) {
    my ($name, $bytes) = @$_;
    for my $attempt (1, 2) {
        my $answer = $server->raw($bytes, port => 'tls', tls => tls('spiffe'));
        like $answer, $identity, "$name brings its peer's identity upstream";
        unlike $answer, qr/X-Mesh-Service.*X-Mesh-Service/s, '... once';
    }
}

my ($worker) = $server->worker_pids;
is $server->get_as('spiffe', '/t')->{status}, 200, 'the worker goes on';
is_deeply [$server->worker_pids], [$worker], '... and is the same';

$server->stop;
done_testing;
