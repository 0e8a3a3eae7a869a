# Tokens that a real provider binds to the client's certificate (RFC 8705) are worth nothing without it.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $provider = Test::Mesh::Provider->start;
my $upstream = Test::Mesh::Upstream->start;
my $issuer = $provider->issuer;
my $server = Test::Mesh::Server->start(<<"END" . <<'CONF' =~ s/UPSTREAM/$upstream->url/er);
mesh_issuer provider { issuer $issuer; audience mesh; trusted_certificate %%KEYS%%/ca.pem; }
END
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;
    location / { proxy_pass UPSTREAM; }
}
CONF

$server->await_log(qr/mesh_issuer "provider": \d+ keys from/);

sub outcome_as ($certificate, $token) { return outcome($server->get_as($certificate, '/', bearer_of($token))) }

my $bound = $provider->token(client => 'payments', alg => 'ES256');
is outcome_as('spiffe', $bound), '200 payments', 'a bound token with the certificate that got it';
is outcome_as('spiffe', $bound), '200 payments', '... again, when it is known';
is outcome_as('dns', $bound), '401 binding_mismatch', 'with another certificate of the same authority';
is outcome_as('none', $bound), '401 binding_mismatch', 'without a certificate';
is verdict($server->get('/', bearer_of($bound))), '401 binding_mismatch', 'without TLS';
is outcome_as('dns', $provider->token(alg => 'ES256')), '200 orders-api', 'a token that is not bound needs none';

my $other = $provider->ask_for_token(client => 'payments', alg => 'ES256', certificate => 'dns');
is $other->{status}, 401, 'the provider gives a bound token to no other certificate';

$server->stop;
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;
