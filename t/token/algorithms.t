# The algorithm is the key's: each one is accepted from its key, and none from another.

use v5.36;

use lib 't/lib';

use Digest::SHA qw(hmac_sha256 hmac_sha512);
use File::Temp qw(tempdir);
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge qw(compact der der_integer json);
use Test::Mesh::Response;
use Test::Mesh::Server;

my @ALGORITHMS = qw(RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES256K ES384 ES512 EdDSA);

my $directory = tempdir('algorithms-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;

# One key of each type, without alg; and sets with the alg that each may have.
my %type = (RS => 'RS256', ES256 => 'ES256', ES384 => 'ES384', ES512 => 'ES512', ES256K => 'ES256K', Ed => 'EdDSA');
meshctl('key', 'generate', '--alg', $type{$_}, '--kid', $_, '--out', "$directory/$_.jwk",
    '--jwks', "$directory/all.jwks") for sort keys %type;
my %public = map { $_->{kid} => $_ } JSON::PP::decode_json(slurp("$directory/all.jwks"))->{keys}->@*;

sub type_of ($algorithm) { return $algorithm =~ /^[RP]S/ ? 'RS' : $algorithm eq 'EdDSA' ? 'Ed' : $algorithm }

sub write_set ($name, @keys) {
    spew("$directory/$name.jwks", json({ keys => \@keys }));
    return;
}

# declared: a key for each algorithm, with alg; bare: a key of each type, without.
write_set('declared', map { { $public{ type_of($_) }->%*, alg => $_, kid => $_ } } @ALGORITHMS);
my @bare = map { my %key = $public{$_}->%*; delete $key{alg}; \%key } sort keys %type;
write_set('bare', @bare);

my $issuers = join '', map {
    my ($name, $set, $algorithms) = @$_;
    "mesh_issuer $name { issuer $name; audience mesh; jwks $directory/$set.jwks; $algorithms }\n";
} (
    ['declared', 'declared', "algorithms @ALGORITHMS;"],
    ['defaults', 'declared', ''],
    ['bare', 'bare', ''],
    ['bare-all', 'bare', "algorithms @ALGORITHMS;"],
    ['bare-ps', 'bare', 'algorithms PS384;'],
);
my $server = Test::Mesh::Server->start($issuers . <<'CONF');
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    mesh_authenticate token;
    location / { empty_gif; }
}
CONF

sub verdict_signed ($issuer, $algorithm, %options) {
    return verdict($server->get('/', bearer(
        key => "$directory/" . type_of($algorithm) . '.jwk', alg => $algorithm, issuer => $issuer, %options)));
}

subtest 'each algorithm from a key that names it' => sub {
    is verdict_signed('declared', $_, kid => $_), '200', $_ for @ALGORITHMS;
};

subtest 'by default the one that a key names, else one of each type' => sub {
    my %default = map { $_ => 1 } qw(RS256 ES256 ES384 EdDSA);
    is verdict_signed('defaults', $_, kid => $_), '200', "named: $_" for @ALGORITHMS;
    # An RSA key is used, for another algorithm; one on another curve is not used at all.
    is verdict_signed('bare', $_, kid => type_of($_)),
        $default{$_} ? '200' : /S512\z|256K\z/ && /\AE/ ? '401 unknown_key' : '401 algorithm_refused', "not named: $_"
        for @ALGORITHMS;
};

subtest 'a key without alg takes what its issuer signs with and its type fits' => sub {
    is verdict_signed('bare-all', $_, kid => type_of($_)), '200', $_ for @ALGORITHMS;
    is verdict_signed('bare-ps', 'PS384', kid => 'RS'), '200', 'PS384 alone';
    is verdict_signed('bare-ps', $_, kid => type_of($_)), '401 algorithm_refused', "... and not $_"
        for grep { $_ ne 'PS384' } @ALGORITHMS;
};

subtest 'a key that names one algorithm is for no other' => sub {
    for my $at (0 .. $#ALGORITHMS) {
        # All of its own type, and the next one in the list.
        my ($kid, $next) = @ALGORITHMS[$at, $at - $#ALGORITHMS];
        for my $algorithm (grep { $_ ne $kid && ($_ eq $next || type_of($_) eq type_of($kid)) } @ALGORITHMS) {
            is verdict_signed('declared', $algorithm, kid => $kid), '401 algorithm_refused', "$algorithm with the key for $kid";
        }
    }
};

subtest 'a signature of one algorithm is not one of another' => sub {
    # The header says what the key is for, the signature is made by the sister algorithm.
    for (['RS256', 'PS256'], ['PS256', 'RS256'], ['RS256', 'RS384'], ['PS384', 'PS512'], ['ES256', 'ES384'],
        ['ES256', 'ES256K'], ['ES256K', 'ES256'], ['ES512', 'ES384'], ['EdDSA', 'ES256']) {
        my ($says, $is) = @$_;
        my ($header, $payload) = split /\./, token(key => "$directory/" . type_of($says) . '.jwk', alg => $says,
            issuer => 'declared', kid => $says);
        my ($signature) = token(key => "$directory/" . type_of($is) . '.jwk', alg => $is, issuer => 'declared',
            kid => $says) =~ /([^.]+)\z/;
        is verdict($server->get('/', "Authorization: Bearer $header.$payload.$signature")),
            '401 signature_invalid', "$says by $is";
    }
};

subtest 'none, and HMAC with what everybody knows' => sub {
    my $claims = json({ iss => 'declared', aud => 'mesh', sub => 'admin', exp => time + 3600 });
    my $try = sub ($name, $alg, $kid, $sign) {
        my $token = compact(json({ alg => $alg, kid => $kid, typ => 'JWT' }), $claims, $sign);
        is verdict($server->get('/', "Authorization: Bearer $token")), '401 algorithm_refused', "$alg: $name";
    };
    for my $alg (qw(none None NONE nOnE)) {
        $try->('without a signature', $alg, 'RS256', sub ($) { '' });
        $try->('with one', $alg, 'RS256', sub ($) { 'x' x 256 });
    }
    my ($modulus, $exponent) = map { decode_base64url($public{RS}{$_}) } qw(n e);
    my $point = join '', "\x04", map { decode_base64url($public{ES256}{$_}) } qw(x y);
    my %secret = (
        'the modulus' => $modulus, 'the modulus as published' => $public{RS}{n}, 'the exponent' => $exponent,
        'the JWK' => json($public{RS}), 'the point' => $point, 'x of it' => $public{ES256}{x},
        'the Ed25519 key' => decode_base64url($public{Ed}{x}), 'PEM' => pem($modulus, $exponent), 'nothing' => '',
    );
    for my $name (sort keys %secret) {
        $try->("$name, kid $_", 'HS256', $_, sub ($input) { hmac_sha256($input, $secret{$name}) })
            for qw(RS256 ES256 EdDSA);
        $try->($name, 'HS512', 'RS256', sub ($input) { hmac_sha512($input, $secret{$name}) });
    }
    $try->('the registered name is exact in case', $_, 'RS256', sub ($) { 'x' x 256 })
        for qw(rs256 Rs256 RS256x RS1 ES521 ES256k EDDSA Ed25519 A128KW dir), 'RS256 ', ' RS256', "RS256\0", '';
};

subtest 'ECDSA signatures in other shapes' => sub {
    my ($header, $payload, $signature) = split /\./,
        token(key => "$directory/ES256.jwk", alg => 'ES256', issuer => 'declared', kid => 'ES256');
    my $bytes = decode_base64url($signature);
    my ($r, $s) = unpack 'a32 a32', $bytes;
    my $der = sub (@integers) {
        my $body = join '', map { my $i = s/\A\0+//r; $i = "\0$i" if $i =~ /\A[\x80-\xff]/; pack('CC', 2, length $i) . $i } @integers;
        return pack('CC', 0x30, length $body) . $body;
    };
    for (['DER', $der->($r, $s)], ['swapped', "$s$r"], ['all zero', "\0" x 64], ['r zero', "\0" x 32 . $s],
        ['s zero', $r . "\0" x 32], ['a byte more', "$bytes\0"], ['a byte less', substr $bytes, 0, 63], ['all ones', "\xff" x 64]) {
        my ($name, $other) = @$_;
        is verdict($server->get('/', "Authorization: Bearer $header.$payload." . encode_base64url($other))),
            '401 signature_invalid', $name;
    }
};

$server->stop;

done_testing;

# A public RSA key as PEM, the classic secret of an HMAC that trusts the header.
sub pem ($modulus, $exponent) {
    my $key = der(0x30, join '', map { der_integer($_) } $modulus, $exponent);
    my $rsa = pack 'H*', '300d06092a864886f70d0101010500';
    my $base64 = MIME::Base64::encode_base64(der(0x30, $rsa . der(3, "\0$key")), '') =~ s/.{1,64}\K/\n/gr;
    return "-----BEGIN PUBLIC KEY-----\n$base64-----END PUBLIC KEY-----\n";
}
