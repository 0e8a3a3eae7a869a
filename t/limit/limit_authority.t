# An issuer that is called like a trust domain does not share its buckets.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $url = $upstream->url;

my $server = Test::Mesh::Server->start(<<"CONF");
mesh_issuer prod.example {
    issuer https://idp.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
}
server {
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate any;
    location /issuer { mesh_limit i rate=1r/h key=issuer; proxy_pass $url; }
    location /service { mesh_limit s rate=1r/h; proxy_pass $url; }
}
CONF

my $name = 'spiffe://prod.example/ns/shop/sa/orders-api';
for my $path ('/issuer', '/service') {
    my $bearer = bearer(subject => $name);
    is $server->get_as('none', $path, $bearer)->{status}, 200, "$path: a token";
    is $server->get_as('none', $path, $bearer)->{status}, 429, '... reaches its limit';
    is $server->get_as('spiffe', $path)->{status}, 200, '... and a certificate has its own';
}

$server->stop;
done_testing;
