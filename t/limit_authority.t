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
    listen 127.0.0.1:%%PORT:tls%% ssl;
    ssl_certificate %%KEYS%%/server.pem;
    ssl_certificate_key %%KEYS%%/server.key;
    ssl_client_certificate %%KEYS%%/ca.pem;
    ssl_verify_client optional;
    mesh_authenticate any;
    location /issuer { mesh_limit i rate=1r/h key=issuer; proxy_pass $url; }
    location /service { mesh_limit s rate=1r/h; proxy_pass $url; }
}
CONF

my $name = 'spiffe://prod.example/ns/shop/sa/orders-api';
my %ca = (ca => key_path('ca.pem'));
my %certificate = (cert => key_path('spiffe.pem'), key => key_path('spiffe.key'));
for my $path ('/issuer', '/service') {
    my $get = sub ($tls, @headers) {
        return $server->request('GET', $path, port => 'tls', tls => $tls, headers => \@headers)
            ->{status};
    };
    my $bearer = bearer(subject => $name);
    is $get->(\%ca, $bearer), 200, "$path: a token";
    is $get->(\%ca, $bearer), 429, '... reaches its limit';
    is $get->({ %ca, %certificate }), 200, '... and a certificate has its own';
}

$server->stop;
done_testing;
