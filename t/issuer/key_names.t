# Which key of a set a token means: by kid and algorithm, by x5t, or as the only one; and what the log says.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use MIME::Base64 qw(encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Response;
use Test::Mesh::Server;

my $directory = tempdir('key-names-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $directory;

meshctl('key', 'generate', '--alg', $_->[1], '--kid', $_->[0], '--out', "$directory/$_->[0].jwk",
    '--jwks', "$directory/all.jwks") for ['a', 'RS256'], ['b', 'RS256'], ['e', 'ES256'], ['f', 'Ed25519'];
my %public = map { $_->{kid} => $_ } JSON::PP::decode_json(slurp("$directory/all.jwks"))->{keys}->@*;

# A public key with other members; undef takes one away.
sub jwk ($name, %members) {
    my %jwk = ($public{$name}->%*, %members);
    return { map { $_ => $jwk{$_} } grep { defined $jwk{$_} } keys %jwk };
}

my $issuers = '';

# An issuer with these keys.
sub add_issuer ($name, $keys, $more = '', $mark = '') {
    spew("$directory/$name.jwks", $mark . json({ keys => $keys }));
    $issuers .= "mesh_issuer $name { issuer $name; audience mesh; jwks $directory/$name.jwks; $more }\n";
    return;
}

my %named = (
    'each-algorithm' => [map({ jwk('a', alg => $_) } qw(RS512 RS256 PS256)), jwk('e', kid => 'a')],
    'enc-first' => [jwk('b', kid => 'a', alg => 'RSA-OAEP', use => 'enc'), jwk('a')],
    'enc-last' => [jwk('a'), jwk('b', kid => 'a', alg => undef, use => 'enc')],
    twice => [jwk('a'), jwk('a', alg => undef), jwk('a')],
);
add_issuer($_, $named{$_}) for sort keys %named;
add_issuer('ambiguous', [jwk('a'), jwk('b', kid => 'a'), jwk('e'), jwk('f')]);
add_issuer('x5t', [jwk('a', x5t => 'thumb-a'), jwk('b', 'x5t#S256' => 'thumb-b')]);
add_issuer('two-names', [jwk('a', kid => ''), jwk('a')]);
add_issuer('empty', [jwk('a', alg => JSON::PP::null, key_ops => [], oth => [], d => JSON::PP::null, use => '')], '', "\xEF\xBB\xBF");
add_issuer('own', [jwk('a', alg => 'PS384'), jwk('f')]);
add_issuer('narrowed', [jwk('a', alg => 'PS384'), jwk('a', kid => 'r', alg => 'RS256')], 'algorithms PS384;');
add_issuer('thousand', [map({ jwk('e', kid => "k$_", x5c => ['M' x 2500]) } 1 .. 999), jwk('a')]);

my $server = Test::Mesh::Server->start($issuers . <<'CONF');
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    add_header Reason $mesh_reason always;
    location / { empty_gif; }
    location /some { mesh_accept own; empty_gif; }
}
CONF
$server->expect_log(qr/\[warn\].* of mesh_issuer "(?:ambiguous|enc-first|enc-last|narrowed)": key "\w+": /);

# The verdict on a token of an issuer by the key of that name.
sub verdict_by ($issuer, $key, %options) {
    return verdict($server->get('/', bearer(key => "$directory/$key.jwk", issuer => $issuer, %options)));
}

subtest 'keys of one kid' => sub {
    is verdict_by($_, 'a'), '200', $_ for sort keys %named;
    is verdict_by('each-algorithm', 'a', alg => $_), '200', $_ for qw(RS512 PS256);
    is verdict_by('each-algorithm', 'e', kid => 'a'), '200', 'another type';
    is verdict_by('each-algorithm', 'a', alg => 'RS384'), '401 algorithm_refused', 'an algorithm that none of them has';
    is verdict_by($_, 'b', kid => 'a'), '401 signature_invalid', "$_: the key for encryption" for qw(enc-first enc-last);
    is verdict_by('ambiguous', $_, kid => 'a'), '401 unknown_key', "ambiguous: $_" for qw(a b);
    is verdict_by('ambiguous', $_), '200', "... and not: $_" for qw(e f);
    my @told = $server->error_log =~ /\[warn\].*"ambiguous": (key "a": another key has the same kid and algorithm)/g;
    is @told, 2, 'both are warned about';
};

subtest 'x5t' => sub {
    my @of = (kid => '', header => { x5t => 'thumb-a' });
    is verdict_by('x5t', 'a', @of), '200', 'x5t';
    is verdict_by('x5t', 'b', @of), '401 signature_invalid', '... of another key';
    is verdict_by('x5t', 'b', kid => '', header => { 'x5t#S256' => 'thumb-b' }), '200', 'x5t#S256';
    is verdict_by('x5t', 'b', kid => '', header => { x5t => 'b' }), '200', 'an x5t that is a kid';
    is verdict_by('x5t', 'a', kid => '', header => { x5t => 'thumb-c' }), '401 unknown_key', 'an x5t that nobody has';
    is verdict_by('x5t', 'a', kid => ''), '401 unknown_key', 'none, and two keys';
    is verdict_by('two-names', 'a', kid => ''), '200', 'none, and one key under two names';
    is verdict_by('two-names', 'b', kid => ''), '401 signature_invalid', '... which did not sign';
    is verdict_by('empty', 'a', kid => '', header => { x5t => 'x' }), '200', 'an x5t, and the only key has none';
    is verdict_by('empty', 'b', kid => '', header => { x5t => 'x' }), '401 unknown_key', '... which did not sign';
};

subtest 'algorithms' => sub {
    is verdict_by('empty', 'a'), '200', 'members without contents, and a byte order mark';
    is verdict_by('own', 'a', alg => 'PS384'), '200', 'the one that the key names';
    is verdict_by('own', 'a', alg => 'RS256'), '401 algorithm_refused', '... and no other';
    is verdict_by('own', 'f', alg => $_), '200', $_ for qw(EdDSA Ed25519);
    is verdict_by('narrowed', 'a', alg => 'PS384'), '200', 'one that is listed';
    is verdict_by('narrowed', 'a', kid => 'r'), '401 algorithm_refused', 'one that is not';
    my $block = "mesh_issuer one { issuer one; audience mesh; jwks $directory/own.jwks; %s }";
    config_refused(sprintf($block, "algorithms $_;"), qr/"\Q$_\E".*one of .*Ed25519/, $_) for qw(none HS256 RSA-OAEP ed25519);
    config_accepted(sprintf($block, 'algorithms Ed25519 PS384;'), 'Ed25519 by its name');
};

subtest 'a thousand keys' => sub {
    is verdict_by('thousand', 'e', kid => $_), '200', $_ for qw(k1 k500 k999);
    is verdict_by('thousand', 'e', kid => $_), '401 unknown_key', $_ for qw(k0 k1000), 'K1';
    is verdict_by('thousand', 'a'), '200', 'the last of them';
    is verdict_by('thousand', 'e', kid => ''), '200', 'the only one of its type';
};

subtest 'what the log says' => sub {
    my $told = sub ($name, $pattern) {
        like +($server->error_log =~ /.*mesh refuses, .*/g)[-1], qr/reason: $pattern, client: /, $name;
    };
    verdict_by('own', 'a', kid => "x\n\"");
    $told->('an unknown kid', 'unknown_key, the token is signed by RS256 and names its key by kid, '
        . 'mesh_issuer "own" has "a" \(PS384\), "f" \(EdDSA\)');
    verdict_by('thousand', 'e', kid => 'none');
    $told->('many keys', 'unknown_key, .* has "k1" \(ES256\), .*"k8" \(ES256\) and 992 more');
    verdict_by('nobody', 'a');
    $told->('an unknown issuer', 'issuer_refused, the token\'s iss is "nobody", accepted here: "each-algorithm".* and \d more');
    $server->get('/some', bearer(key => "$directory/a.jwk", issuer => 'twice'));
    $told->('one of elsewhere', 'issuer_refused, the token\'s iss is "twice" \(mesh_issuer "twice"\), which is not accepted here');
    my $jwe = join '.', encode_base64url(json({ alg => 'RSA-OAEP', enc => 'A256GCM', kid => 'a' })), ('AAAA') x 4;
    is verdict($server->get('/', "Authorization: Bearer $jwe")), '401 algorithm_refused', 'a JWE';
    $told->('... is named', 'algorithm_refused, the token is encrypted \(a JWE\).*');
    is verdict_by('own', 'b', kid => 'a', alg => 'PS384', header => { nonce => 'AQABAAAAAAA' }), '401 signature_invalid', 'a nonce';
    $told->('... is for Microsoft Graph', 'signature_invalid, the token\'s header has a nonce, .*Microsoft Graph.*');
    unlike $server->error_log, qr/AQABAAAAAAA|orders-api/, 'and nothing else of a token';
};

$server->stop;
done_testing;
