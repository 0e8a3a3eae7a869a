# Tokens that a real provider binds to the client's key (RFC 9449), with proofs by a library that is
# not ours.

use v5.36;

use lib 't/lib';

use Digest::SHA qw(sha256);
use MIME::Base64 qw(encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Forge qw(claims_of);
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my @ALGORITHMS = qw(RS256 PS256 ES256 ES384 ES512 EdDSA);

my $provider = Test::Mesh::Provider->start;
my $upstream = Test::Mesh::Upstream->start;
my $issuer = $provider->issuer;
my $server = Test::Mesh::Server->start(<<"END" . <<'CONF' =~ s/UPSTREAM/$upstream->url/ger);
mesh_issuer provider { issuer $issuer; audience mesh; trusted_certificate %%KEYS%%/ca.pem; }
mesh_log_level info;
END
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;
    location / { proxy_pass UPSTREAM; }
    location /nonce { mesh_dpop_nonce on; proxy_pass UPSTREAM; }
    location /only { mesh_dpop require; proxy_pass UPSTREAM; }
}
CONF

$server->await_log(qr/mesh_issuer "provider": \d+ keys from/);

# Keys of clients, and one that a thief has.
$provider->tell('generate', thief => 'ES256', map { ("client-$_" => $_) } @ALGORITHMS);

# A proof by jose; the claims are those of a good one unless they are named.
sub proof_by ($key, $target, %claims) {
    return $provider->tell('sign', key => $key, to_be_shown => 1, header => { typ => 'dpop+jwt' }, claims => {
        jti => $provider->tell('uuid'), htm => 'GET', htu => 'http://localhost:' . $server->port . $target,
        iat => int time, %claims,
    });
}

sub bound_token ($key) {
    my $proof = proof_by($key, '', htm => 'POST', htu => "$issuer/token");
    return $provider->token(alg => 'ES256', headers => ["DPoP: $proof"]);
}

sub ath ($token) { return encode_base64url(sha256($token)) }

sub send_it ($target, @headers) {
    return $server->request('GET', $target, headers => ['Host: localhost:' . $server->port, @headers]);
}

# The verdict on a token and a proof, and the service that upstream learns.
sub proven ($target, $token, $proof) {
    return outcome(send_it($target, "Authorization: DPoP $token", "DPoP: $proof"));
}

for my $alg (@ALGORITHMS) {
    subtest "a key for $alg" => sub {
        my $key = "client-$alg";
        my $token = bound_token($key);
        my $claims = claims_of($token);
        is $claims->{cnf}{jkt}, $provider->tell('thumbprint', key => $key), 'the provider binds a token to it';
        my %ath = (ath => ath($token));
        my $proof = proof_by($key, '/t', %ath);
        is proven('/t', $token, $proof), '200 orders-api', 'a proof by it admits the token';
        is proven('/t', $token, $proof), '401 dpop_replayed', '... once';
        is proven('/t?a=b', $token, proof_by($key, '/t', %ath)), '200 orders-api', 'a query is no part of it';
        is proven('/t', $token, proof_by('thief', '/t', %ath)), '401 binding_mismatch', 'a proof by another key';
        is proven('/t', $token, proof_by($key, '/t', %ath, htm => 'POST')), '401 dpop_mismatch', 'for another method';
        is proven('/t', $token, proof_by($key, '/other', %ath)), '401 dpop_mismatch', 'for another path';
        is proven('/t', $token, proof_by($key, '', %ath, htu => 'http://elsewhere.example/t')), '401 dpop_mismatch',
            'for another host';
        is proven('/t', $token, proof_by($key, '/t', ath => ath('another'))), '401 dpop_mismatch', 'for another token';
        is proven('/t', $token, proof_by($key, '/t')), '401 dpop_mismatch', 'for any token';
        is proven('/t', $token, proof_by($key, '/t', %ath, iat => time - 600)), '401 dpop_stale', 'an old one';
        is proven('/t', $token, proof_by($key, '/t', %ath, iat => time + 600)), '401 dpop_stale', 'one of the future';
        my ($head, $payload, $signature) = split /\./, proof_by($key, '/t', %ath);
        my ($other) = proof_by($key, '/t', %ath) =~ /([^.]+)\z/;
        is proven('/t', $token, "$head.$payload.$other"), '401 dpop_signature_invalid', 'with the signature of another';

        my $bearer = send_it('/t', bearer_of($token), 'DPoP: ' . proof_by($key, '/t', %ath));
        is verdict($bearer), '401 dpop_missing', 'the token is no bearer token';
        is verdict(send_it('/t', "Authorization: DPoP $token")), '401 dpop_missing', 'nor one without a proof';
    };
}

subtest 'proofs that meshctl makes' => sub {
    my $at_provider = proof(token => 'none', method => 'POST', url => "$issuer/token");
    my $token = $provider->token(alg => 'ES256', headers => ["DPoP: $at_provider"]);
    my $claims = claims_of($token);
    like $claims->{cnf}{jkt}, qr/\A[\w-]{43}\z/, 'the provider takes one, and binds a token to its key';
    my $proof = proof(token => $token, url => 'http://localhost:' . $server->port . '/t');
    is proven('/t', $token, $proof), '200 orders-api', 'so does the module';
};

subtest 'a nonce of the server' => sub {
    my $token = bound_token('client-ES256');
    my %ath = (ath => ath($token));
    my $first = send_it('/nonce', "Authorization: DPoP $token", 'DPoP: ' . proof_by('client-ES256', '/nonce', %ath));
    is verdict($first), '401 dpop_nonce', 'is asked for';
    like $first->{headers}{'www-authenticate'}, qr/\bDPoP [^,].*error="use_dpop_nonce"/, '... as clients know it';
    my $nonce = $first->{headers}{'dpop-nonce'};
    is proven('/nonce', $token, proof_by('client-ES256', '/nonce', %ath, nonce => $nonce)), '200 orders-api',
        'a proof with it is good';
    is proven('/nonce', $token, proof_by('client-ES256', '/nonce', %ath, nonce => "x$nonce")), '401 dpop_nonce',
        'one with another is not';
};

subtest 'only tokens that are bound' => sub {
    my $token = $provider->token(alg => 'ES256');
    is verdict(send_it('/t', bearer_of($token))), '200', 'one that is not';
    is verdict(send_it('/only', bearer_of($token))), '401 dpop_unbound', '... is refused where it matters';
    my $proof = proof_by('client-ES256', '/t', ath => ath($token));
    is proven('/t', $token, $proof), '401 dpop_unbound', '... and a proof does not make it bound';
};

$server->stop;
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;
