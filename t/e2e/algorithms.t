# Tokens of a real provider, got as a client gets them: each algorithm that it signs with, and what is
# refused of each.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge qw(claims_of header_of);
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Wait;

my $provider = Test::Mesh::Provider->start;
my $upstream = Test::Mesh::Upstream->start;
my $issuer = $provider->issuer;

# Ed25519 (RFC 9864) is EdDSA by another name.
my @algorithms = $provider->algorithms;
cmp_ok scalar @algorithms, '>=', 10, 'the provider signs with many algorithms' or diag "@algorithms";

my $directory = tempdir('e2e-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $server = Test::Mesh::Server->start(<<"END" . <<'CONF' =~ s/UPSTREAM/$upstream->url/er);
mesh_issuer provider {
    issuer $issuer;
    audience mesh;
    algorithms @algorithms;
    trusted_certificate %%KEYS%%/ca.pem;
    leeway 0s;
    token_type at+jwt;
    service_claim /client_id;
}
mesh_issuer any_of_theirs {
    issuer https://any.example;
    audience mesh;
    jwks $issuer/jwks;
    trusted_certificate %%KEYS%%/ca.pem;
}
mesh_issuer few {
    issuer https://few.example;
    audience mesh;
    algorithms RS256 ES256 ES384 EdDSA;
    jwks $issuer/jwks;
    trusted_certificate %%KEYS%%/ca.pem;
}
mesh_claim \$scope /scope;
END
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;
    location / {
        proxy_set_header X-Scope $scope;
        proxy_pass UPSTREAM;
    }
}
CONF

$server->await_log(qr/mesh_issuer "$_": \d+ keys from/) for 'provider', 'any_of_theirs', 'few';

# The verdict on a token, and the identity that went upstream.
sub judge ($token) {
    my $response = $server->get('/', bearer_of($token));
    my %seen = $response->{body} =~ /^(X-[\w-]+): (.*?)\r$/mg;
    return (verdict($response), \%seen);
}

# Short ones first, so that they have expired when it is their turn.
my %short = map { $_ => $provider->token(alg => $_, ttl => 1) } @algorithms;

for my $alg (@algorithms) {
    subtest $alg => sub {
        my $token = $provider->token(alg => $alg, form => { scope => 'produce' });
        my ($header, $payload, $signature) = split /\./, $token;
        is header_of($token)->{alg}, $alg, 'the token is signed by it';

        my ($verdict, $seen) = judge($token);
        is $verdict, '200', 'the token is admitted';
        is $seen->{'X-Mesh-Service'}, 'orders-api', '... and upstream learns its service';
        is $seen->{'X-Mesh-Principal'}, 'orders-api', '... its principal';
        is $seen->{'X-Mesh-Issuer'}, 'provider', '... its issuer';
        is $seen->{'X-Scope'}, 'produce', '... and a claim';
        is +(judge($token))[0], '200', 'and so it is again, when it is known';

        my $refused = sub ($token, $reason, $name) {
            my ($verdict, $seen) = judge($token);
            is "$verdict, upstream: " . keys %$seen, "401 $reason, upstream: 0", "refused: $name";
        };
        $refused->($provider->token(alg => $alg, audience => 'elsewhere'), 'audience_refused', 'for another audience');
        my $admin = decode_base64url($payload) =~ s/orders-api/orders-adm/gr;
        $refused->("$header." . encode_base64url($admin) . ".$signature", 'signature_invalid', 'another service');
        $refused->("$header.$payload." . spoilt($signature), 'signature_invalid', 'a bit of the signature');
        my $other = $provider->token(alg => $alg, form => { scope => 'consume' });
        $refused->("$header.$payload." . ($other =~ /([^.]+)\z/)[0], 'signature_invalid', 'the signature of another token');
        my %key = (key => lc $alg);
        $refused->($provider->tell('sign', %key, claims => { claims_of($token)->%*, iss => "$issuer/" }, header => header_of($token)),
            'issuer_refused', 'another issuer by the same key');
        $refused->($provider->tell('sign', %key, claims => claims_of($token), header => { header_of($token)->%*, typ => 'JWT' }),
            'type_refused', 'a token of another type by the same key');
        $refused->($provider->tell('sign', %key, claims => claims_of($token), header => { header_of($token)->%*, kid => 'x' }),
            'unknown_key', 'another kid');
        $refused->($provider->tell('sign', %key, to_be_shown => 1, claims => claims_of($token),
            header => { header_of($token)->%*, kid => 'x' }), 'unknown_key', 'a key that the token brings');
    };
}

for my $alg (@algorithms) {
    is_soon(sub { (judge($short{$alg}))[0] }, '401 token_expired', "$alg: an expired token is refused");
}

subtest 'algorithms that the issuer does not name' => sub {
    my %named = map { $_ => 1 } qw(RS256 ES256 ES384 EdDSA Ed25519);
    for my $alg (@algorithms) {
        my $token_of = sub ($url) {
            return $provider->tell('sign', key => lc $alg, header => { kid => lc $alg },
                claims => { iss => $url, aud => 'mesh', client_id => 'x', sub => 'x', exp => 60 + int time });
        };
        is +(judge($token_of->('https://any.example')))[0], '200', "$alg: its key names it";
        is +(judge($token_of->('https://few.example')))[0], $named{$alg} ? '200' : '401 algorithm_refused', "$alg, narrowed";
    }
};

subtest 'clients that prove themselves by a key of theirs' => sub {
    my @keys = qw(ES256 ES384 RS256 EdDSA);
    meshctl('key', 'generate', '--alg', $_, '--kid', "etl-$_", '--out', "$directory/$_.jwk", '--jwks',
        "$directory/etl.jwks") for @keys;
    $provider->tell('clients', jwks => JSON::PP::decode_json(slurp("$directory/etl.jwks")));
    for my $alg (@keys) {
        my $token = $provider->token(client => 'etl', alg => 'ES256', key => "$directory/$alg.jwk");
        my ($verdict, $seen) = judge($token);
        is "$verdict " . ($seen->{'X-Mesh-Service'} // ''), '200 etl', "private_key_jwt with $alg, signed by meshctl";
    }
    my $foreign = $provider->ask_for_token(client => 'etl', alg => 'ES256', key => key_path('es256.jwk'));
    is $foreign->{status}, 401, 'a key of somebody else gets no token';
};

$server->stop;
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;

# With one bit changed in the middle, where each counts.
sub spoilt ($base64url) {
    my $bytes = decode_base64url($base64url);
    substr($bytes, length($bytes) / 2, 1) ^.= "\1";
    return encode_base64url($bytes);
}
