# Tokens that a real provider binds to the client's certificate (RFC 8705) are worth nothing without it.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Forge qw(verdict);
use Test::Mesh::Provider;
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
    listen 127.0.0.1:%%PORT:tls%% ssl;
    ssl_certificate %%KEYS%%/server.pem;
    ssl_certificate_key %%KEYS%%/server.key;
    ssl_client_certificate %%KEYS%%/ca.pem;
    ssl_verify_client optional;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;
    location / { proxy_pass UPSTREAM; }
}
CONF

$server->await_log(qr/mesh_issuer "provider": \d+ keys from/);

sub ask ($token, $certificate) {
    my %certificate = map { $_ => key_path("$certificate.$_") } $certificate ? qw(pem key) : ();
    my $response = $server->request('GET', '/', port => 'tls', headers => ["Authorization: Bearer $token"],
        tls => { ca => key_path('ca.pem'), $certificate ? (cert => $certificate{pem}, key => $certificate{key}) : () });
    my ($service) = $response->{body} =~ /^X-Mesh-Service: (.*?)\r$/m;
    return join ' ', verdict($response), $service // ();
}

my $bound = $provider->token(client => 'payments', alg => 'ES256');
is ask($bound, 'spiffe'), '200 payments', 'a bound token with the certificate that got it';
is ask($bound, 'spiffe'), '200 payments', '... again, when it is known';
is ask($bound, 'dns'), '401 binding_mismatch', 'with another certificate of the same authority';
is ask($bound, ''), '401 binding_mismatch', 'without a certificate';
is verdict($server->get('/', "Authorization: Bearer $bound")), '401 binding_mismatch', 'without TLS';
is ask($provider->token(alg => 'ES256'), 'dns'), '200 orders-api', 'a token that is not bound needs none';

my $other = $provider->ask_for_token(client => 'payments', alg => 'ES256', certificate => 'dns');
is $other->{status}, 401, 'the provider gives a bound token to no other certificate';

$server->stop;
$provider->stop;
is $provider->complaints, '', 'the provider has nothing to complain of';
done_testing;
