# What a token says of itself decides: each claim by itself, and each way of not being a token.

use v5.36;

use lib 't/lib';

use MIME::Base64 qw(encode_base64url);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Forge;
use Test::Mesh::Response;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF');
large_client_header_buffers 4 32k;
log_format reasons '$uri $status $mesh_decision $mesh_reason';

mesh_issuer idp {
    issuer https://idp.example;
    audience mesh kafka;
    jwks %%KEYS%%/idp.jwks;
}
mesh_issuer strict {
    issuer https://strict.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    leeway 0;
    max_lifetime 1h;
    token_type at+jwt;
    service_claim /client/id;
}
server {
    listen 127.0.0.1:%%PORT%%;
    access_log %%ROOT%%/logs/reasons.log reasons;
    add_header Reason $mesh_reason always;
    add_header Service $mesh_service always;
    mesh_authenticate token;
    location / { empty_gif; }
}
CONF

my $now = time;

# What a Bearer challenge says of each reason (RFC 6750 section 3), by the manual's words.
my %description = (
    audience_refused => 'the token is for another audience',
    claim_malformed => 'a registered claim has the wrong type',
    expiry_missing => 'the token has no exp claim',
    issuer_refused => q(the token's issuer is not accepted here),
    lifetime_exceeded => "the token's lifetime is longer than allowed",
    binding_unsupported => 'the token is bound in a way that cannot be checked',
    service_missing => 'the token does not name a service',
    signature_invalid => q(the token's signature is not valid),
    token_critical => 'the token asks for an extension that is not understood',
    token_duplicate_member => 'the token holds a JSON member twice',
    token_expired => 'the token has expired',
    token_malformed => 'the token is not a well-formed signed JWT',
    token_not_yet_valid => 'the token is not valid yet',
    token_too_large => 'the token is larger than 16 KiB',
    type_refused => 'the token is of another type',
    unknown_key => 'the token names a key that its issuer does not publish',
);

sub admitted ($name, $token) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $server->get('/t', bearer_of($token));
    is verdict($response), '200', "admitted: $name";
    is $response->{headers}{'www-authenticate'}, undef, '... without a challenge';
    return $response;
}

sub refused ($reason, $name, $token) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $response = $server->get('/t', bearer_of($token));
    my $challenge =
        qq(Bearer realm="mesh", error="invalid_token", error_description="$description{$reason}");
    # The other scheme stands behind it.
    my ($told) = ($response->{headers}{'www-authenticate'} // '') =~ /\A(.*), DPoP realm="mesh", algs="[\w ]+"\z/;
    is_deeply [verdict($response), $told, $response->{headers}{service}],
        ["401 $reason", $challenge, undef], "$reason: $name";
    return;
}

sub claiming (%claims) { return forged(claims => \%claims) }

# Claims of which some are taken away.
sub without ($name) {
    my %claims = (iss => 'https://idp.example', aud => 'mesh', sub => 'orders-api', exp => $now + 3600);
    delete $claims{$name};
    return forged(payload => json(\%claims));
}

my %usual = (iss => 'https://idp.example', aud => 'mesh', sub => 'orders-api', exp => $now + 3600);
my $usual = json(\%usual);
my $header = json({ alg => 'RS256', kid => 'rs256' });

subtest 'exp, nbf, iat' => sub {
    admitted('a token of an hour', token());
    refused('token_expired', 'an hour ago', token(expires => '-1h'));
    refused('token_expired', 'past the leeway of 30 s', claiming(exp => $now - 60));
    admitted('expired within the leeway', claiming(exp => time - 2));
    admitted('a date with a fraction', claiming(exp => $now + 60.5));
    refused('token_expired', 'at the beginning of time', claiming(exp => 0));
    refused('token_expired', 'before it', claiming(exp => -1));
    refused('expiry_missing', 'no exp', without('exp'));
    refused('expiry_missing', 'exp is null', forged(payload => $usual =~ s/"exp":\d+/"exp":null/r));
    refused('claim_malformed', "exp is $_->[0]", forged(payload => $usual =~ s/"exp":\d+/"exp":$_->[1]/r))
        for ['a string', '"9999999999"'], ['a list', '[9999999999]'], ['true', 'true'],
            ['an object', '{}'], ['more than a date', '1e300'];
    refused('token_not_yet_valid', 'in an hour', token(not_before => '1h'));
    admitted('since now', token(not_before => '0s'));
    admitted('from within the leeway on', claiming(nbf => time + 20));
    refused('claim_malformed', 'nbf is a string', claiming(nbf => 'now'));
    refused('claim_malformed', 'iat is a string', claiming(iat => 'now'));
    admitted('iat ahead, where nothing hangs on it', claiming(iat => $now + 600));
};

subtest 'iss' => sub {
    refused('issuer_refused', 'none', without('iss'));
    refused('issuer_refused', "it is $_", forged(payload => $usual =~ s/"iss":"[^"]*"/"iss":$_/r))
        for '"https://idp.example/"', '"https://IDP.example"', '"https://idp.example "', '""', 'null', '1',
            '["https://idp.example"]', '{"https://idp.example":1}';
    refused('signature_invalid', 'that of others, who publish another key of that name',
        token(key => 'other', issuer => 'https://idp.example', kid => 'es256'));
};

subtest 'aud' => sub {
    admitted('the second audience', token(audience => 'kafka'));
    admitted('one of several', token(audience => ['other', 'mesh']));
    refused('audience_refused', 'none', without('aud'));
    refused('audience_refused', 'another', token(audience => 'other'));
    refused('audience_refused', "it is $_", forged(payload => $usual =~ s/"aud":"mesh"/"aud":$_/r))
        for 'null', '""', '[]', '"mes"', '"mesh "', '"MESH"', '"mesh kafka"', '["mesh kafka"]';
    refused('claim_malformed', "it is $_", forged(payload => $usual =~ s/"aud":"mesh"/"aud":$_/r))
        for '1', '{"mesh":1}', '["mesh",1]', '["mesh",["mesh"]]';
};

subtest 'service_claim, token_type and max_lifetime' => sub {
    my %strict = (
        iss => 'https://strict.example', aud => 'mesh', client => { id => 'etl' }, iat => $now,
        exp => $now + 600,
    );
    my $typ = json({ alg => 'RS256', kid => 'rs256', typ => 'at+jwt' });
    my $strict = sub (%claims) {
        my %all = (%strict, %claims);
        defined $all{$_} or delete $all{$_} for keys %all;
        return forged(header => $typ, payload => json(\%all));
    };
    is admitted('a token as asked for', $strict->())->{headers}{service}, 'etl', 'the claim is the service';

    refused('service_missing', $_->[0], $strict->(client => $_->[1]))
        for ['no claim', undef], ['no member', {}], ['an empty one', { id => '' }], ['a number', { id => 7 }],
            ['a list', { id => ['etl'] }], ['null', { id => JSON::PP::null() }];
    refused('service_missing', 'no sub', without('sub'));
    refused('claim_malformed', 'an empty sub', claiming(sub => ''));
    refused('claim_malformed', 'a sub that is a number', claiming(sub => 7));

    refused('type_refused', 'an ID token', forged(header => $header =~ s/}/,"typ":"JWT"}/r, payload => json(\%strict)));
    refused('type_refused', 'no typ', forged(header => $header, payload => json(\%strict)));
    admitted('typ in full and in capitals',
        forged(header => $header =~ s/}/,"typ":"application\/AT+JWT"}/r, payload => json(\%strict)));

    admitted('an hour at most', $strict->(exp => $now + 3600));
    refused('lifetime_exceeded', 'a second more', $strict->(exp => $now + 3601));
    refused('lifetime_exceeded', 'no iat', $strict->(iat => undef));
    refused('lifetime_exceeded', 'iat ahead', $strict->(iat => $now + 500));
    refused('token_expired', 'a second ago, without leeway', $strict->(iat => $now - 60, exp => $now - 1));
    refused('token_not_yet_valid', 'in some minutes, without leeway', $strict->(nbf => time + 300));
};

subtest 'duplicate members' => sub {
    refused('token_duplicate_member', $_->[0], forged(payload => $usual =~ s/}\z/,$_->[1]}/r))
        for ['sub twice', '"sub":"admin"'], ['sub twice, the same', '"sub":"orders-api"'],
            ['iss twice', '"iss":"https://idp.example"'], ['exp twice', '"exp":9999999999'],
            ['sub in another spelling', '"s\u0075b":"admin"'], ['deep inside', '"a":[{"b":1,"b":1}]'];
    refused('token_duplicate_member', "in the header: $_", forged(header => $header =~ s/}\z/,$_}/r))
        for '"alg":"RS256"', '"alg":"none"', '"\u0061lg":"RS256"', '"kid":"rs256"', '"x":{"y":1,"y":2}';
    admitted('names that differ in case are two', forged(payload => $usual =~ s/}\z/,"SUB":"admin"}/r));
};

subtest 'critical extensions' => sub {
    refused('token_critical', $_, forged(header => $header =~ s/}\z/,$_}/r))
        for '"crit":["exp"]', '"crit":[]', '"crit":null', '"b64":false', '"b64":true', '"crit":["b64"],"b64":false';
    admitted('keys in the header are ignored', forged(header => $header =~ s/}\z/,$_}/r))
        for '"jku":"https://evil.example"', '"x5u":"https://evil.example"', '"x5c":["AA"]',
            '"jwk":{"kty":"oct","k":"AA"}';
};

subtest 'a binding that this connection does not have' => sub {
    admitted('one that is null', forged(payload => $usual =~ s/}\z/,"cnf":null}/r));
    refused('binding_unsupported', $_, forged(payload => $usual =~ s/}\z/,"cnf":$_}/r))
        for '{}', '{"jkt":"AA"}', '{"x5t#S256":"AA"}', '{"x5t#S256":7}', '"x"',
            '{"x5t#S256":"' . x5t('spiffe') . '","jkt":"AA"}';
    is verdict($server->get('/t', bearer_of(token(thumbprint => x5t('spiffe'))))), '401 binding_mismatch', 'binding_mismatch: no certificate';
};

subtest 'signature and key' => sub {
    my $token = token();
    my ($head, $payload, $signature) = split /\./, $token;
    my $admin = encode_base64url($usual =~ s/orders-api/admin/r);
    refused('signature_invalid', 'other claims', "$head.$admin.$signature");
    refused('signature_invalid', 'another signature', "$head.$payload." . ($signature =~ s/\A(.)/$1 eq 'A' ? 'B' : 'A'/er));
    refused('signature_invalid', 'a short signature', "$head.$payload.AAAA");
    refused('signature_invalid', 'one that is all zero', "$head.$payload." . encode_base64url("\0" x 64));
    refused('unknown_key', 'a kid of others', token(key => 'other', issuer => 'https://idp.example'));
    refused('unknown_key', "kid $_->[0]", forged(header => json({ alg => 'RS256', kid => $_->[1] })))
        for ['in capitals', 'RS256'], ['empty', ''], ['of a path', '../../rs256'], ['with a null', "rs256\0"];
    admitted('no kid, where one key fits', token(key => 'rs256', kid => ''));
    refused('token_malformed', "kid is $_->[0]", forged(header => json({ alg => 'RS256', kid => $_->[1] })))
        for ['a number', 1], ['a list', ['rs256']], ['too long', 'k' x 1025];
};

subtest 'not a signed JWT' => sub {
    my ($head, $payload, $signature) = split /\./, token();
    refused('token_malformed', $_->[0], $_->[1]) for
        ['one part', $head],
        ['two parts', "$head.$payload"],
        ['four parts', "$head.$payload.$signature.$signature"],
        ['five parts, as of a JWE', "$head.$payload.$payload.$payload.$signature"],
        ['no signature', "$head.$payload."],
        ['no claims', "$head..$signature"],
        ['no header', ".$payload.$signature"],
        ['dots alone', '..'],
        ['a dot', '.'],
        ['padding', "$head=.$payload.$signature"],
        ['padding at the end', "$head.$payload.$signature=="],
        ['base64 of the other alphabet', "$head.$payload.+/+/"],
        ['a length that no base64 has', "$head.$payload.AAAAA"],
        ['bits beyond the end', "$head.$payload.AB"],
        ['another byte', "$head.$payload~.$signature"],
        ['two tokens', "$head.$payload.$signature $head.$payload.$signature"],
        ['two tokens and a comma', "$head.$payload.$signature,$head.$payload.$signature"],
        ['quotation marks', qq("$head.$payload.$signature")],
        ['a header that is no JSON', compact('alg', $usual, sub { 'x' })],
        ['a header that is a list', compact('["RS256"]', $usual, sub { 'x' })],
        ['a header that is cut off', compact('{"alg":"RS256"', $usual, sub { 'x' })],
        ['a header with something behind it', compact('{"alg":"RS256"}x', $usual, sub { 'x' })],
        ['no alg', compact('{}', $usual, sub { 'x' })],
        ['alg is null', compact('{"alg":null}', $usual, sub { 'x' })],
        ['alg is a list', compact('{"alg":["RS256"]}', $usual, sub { 'x' })],
        ['typ is a number', compact('{"alg":"RS256","typ":1}', $usual, sub { 'x' })],
        ['claims that are no JSON', forged(payload => 'sub=orders-api')],
        ['claims with something behind them', forged(payload => "$usual$usual")],
        ['claims that are not UTF-8', forged(payload => $usual =~ s/orders-api/\xff\xfe/r)],
        ['claims with half a surrogate', forged(payload => $usual =~ s/orders-api/\\ud800/r)],
        ['claims with a raw control byte', forged(payload => $usual =~ s/orders-api/a\nb/r)],
        ['claims that nest 17 deep', forged(payload => $usual =~ s/}\z/',"a":' . '[' x 16 . ']' x 16 . '}'/er)],
        ['claims in UTF-16', forged(payload => join '', map { "$_\0" } split //, $usual)],
        ['claims behind a byte order mark', forged(payload => "\xef\xbb\xbf$usual")];
    refused('issuer_refused', "claims that are $_", forged(payload => $_)) for '[]', '"a"', '1', 'null', 'true', '{}';
    admitted('claims that nest 16 deep', forged(payload => $usual =~ s/}\z/',"a":' . '[' x 15 . ']' x 15 . '}'/er));
    admitted('white space in the claims', forged(payload => " $usual\n"));
};

subtest '16 KiB' => sub {
    my $of = sub ($size) {
        # Four characters for three bytes: grow until the token has the size, or a byte less.
        my $sign = sub ($) { return 'x' x 256 };
        my $pad = 0;
        my $token;
        do {
            $token = compact($header, $usual =~ s/}\z/',"pad":"' . 'x' x $pad . '"}'/er, $sign);
            $pad += length $token < $size - 4 ? int(($size - length $token) * 3 / 4) || 1 : 1;
        } while (length $token < $size);
        return $token;
    };
    my $fits = $of->(16 * 1024 - 2);
    cmp_ok length $fits, '<=', 16 * 1024, 'a token that fits' or return;
    refused('signature_invalid', 'it is read', $fits);
    refused('token_too_large', 'a byte more is not', $fits . 'A' x (16 * 1024 + 1 - length $fits));
    refused('token_too_large', '20 KiB', $of->(20 * 1024));
    admitted('a large token that is right', forged(claims => { pad => 'x' x 11_500 }));
};

subtest 'the access log' => sub {
    my $log = slurp($server->root . '/logs/reasons.log');
    my @lines = split /\n/, $log;
    cmp_ok @lines, '>', 100, 'has a line for each request';
    is_deeply [grep { !m{\A/t (?:200 allowed -|401 refused \w+)\z} } @lines], [], '... with its reason';
    my %seen = map { (split)[3] => 1 } grep { / refused / } @lines;
    is_deeply [sort keys %seen], [sort keys %description, 'binding_mismatch'], '... and each reason that a token has';
};

$server->stop;

done_testing;
