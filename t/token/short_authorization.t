# Whatever stands in Authorization is read to its end and no further, and decides nothing by itself.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 32k;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    location / { mesh_authenticate token; proxy_pass %%UPSTREAM%%; }
    # Nginx itself logs the query.
    location = /query { mesh_authenticate token; error_log /dev/null; proxy_pass %%UPSTREAM%%; }
}
CONF

my $token = token();

# The bytes of the field as they are, between the colon and the end of the line.
sub answer_to ($bytes) {
    return $server->raw("GET /t HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization:$bytes\r\n\r\n");
}

sub verdict_of ($bytes) {
    my $answer = answer_to($bytes);
    my ($status) = $answer =~ m{\AHTTP/1\.1 (\d+)} or return 'closed';
    my ($reason) = $answer =~ /^Reason: (\w+)\r$/m;
    return join ' ', $status, $reason // ();
}

sub shown ($bytes) {
    my $text = $bytes =~ s/([^!-~ ])/sprintf '\\x%02x', ord $1/gre;
    return length $text > 60 ? substr($text, 0, 60) . '... ' . length($bytes) . ' bytes' : "'$text'";
}

my @absent = (
    '', ' ', '  ', 'B', ' B', 'b', 'Be', 'Bea', 'Bear', 'Beare', 'earer', 'BearerX', "Bearer$token",
    "BearerX $token", "Bear $token", "Basic $token", "Token $token", "DPoPX $token", "JWT $token", "$token",
    'Basic', 'Basic ', 'Basic dTpw', 'Negotiate YII=', 'Digest username="Bearer"', "Basic Bearer $token",
    "\"Bearer $token\"", "\xef\xbb\xbfBearer $token",
    "\xff", "\xc3\x28", "B\xe9arer $token", "\x01", "%42earer $token", "=$token", ',', ',,',
    'x' x 8000,
);
is verdict_of(" $_"), '401 credential_missing', 'no token: ' . shown($_) for @absent;

is verdict_of(' DPoP ' . $token), '401 dpop_unbound', 'a token that is sent as what it is not';

my @malformed = (
    'Bearer', ' Bearer', 'Bearer ', 'bearer', 'BEARER  ', 'Bearer' . ' ' x 200, "Bearer $token $token",
    "Bearer $token,", "Bearer ,$token", "Bearer $token,Bearer $token", "Bearer $token, Basic dTpw",
    "Bearer \"$token\"", "Bearer <$token>", "Bearer token=$token;", "Bearer \xff", "Bearer $token\xff",
    "Bearer $token\x01", "Bearer \t", "Bearer %65%79", 'Bearer null', 'Bearer undefined', 'Bearer .', 'Bearer =',
    'Bearer ' . 'x' x 8000, 'Bearer ' . '.' x 8000, 'Bearer Bearer ' . $token, "Bearer $token\t$token",
    'Bearer:', "Bearer\t$token", "Bearer\x0b$token", "Bearer\xa0$token", "Bearer\x7f $token",
);
is verdict_of(" $_"), '401 token_malformed', 'no good token: ' . shown($_) for @malformed;

my @admitted = (
    "Bearer $token", "bearer $token", "BEARER $token", "bEaReR $token", 'Bearer' . ' ' x 200 . $token,
    "Bearer $token" . ' ' x 200, ' ' x 200 . "Bearer $token",
);
is verdict_of(" $_"), '200', 'a good token: ' . shown($_) for @admitted;
is verdict_of("Bearer $token"), '200', 'no space behind the colon';

# Nginx refuses a header with these bytes before any module sees it.
for my $bytes (" B\0", " Bearer $token\0", " Bearer \0$token", "\0") {
    is verdict_of($bytes), '400', 'a null: ' . shown($bytes);
}
unlike answer_to(" Bearer $token\0"), qr/X-Upstream/, '... and nothing arrives';

subtest 'the token in other places is none' => sub {
    is verdict($server->get($_->[0], $_->[1] // ())), '401 credential_missing', $_->[2] for
        ["/query?access_token=$token", undef, 'in the query'],
        ['/t', "Cookie: token=$token; Authorization=Bearer $token", 'in a cookie'],
        ['/t', "Proxy-Authorization: Bearer $token", 'for a proxy'],
        ['/t', "X-Authorization: Bearer $token", 'under another name'],
        ['/t', "X-Forwarded-Authorization: Bearer $token", 'as forwarded'],
        ['/t', "Authorization_: Bearer $token", 'under a name that Nginx drops'];
    is verdict($server->request('POST', '/t', body => "access_token=$token",
        headers => ['Content-Type: application/x-www-form-urlencoded'])), '401 credential_missing', 'in the body';
    is verdict($server->get('/t', "AUTHORIZATION: Bearer $token")), '200', 'but the name folds case';
};

subtest 'prefixes of the header of a good request' => sub {
    my $value = " Bearer $token";
    my @verdicts = map { verdict_of(substr $value, 0, $_) } 0 .. length($value) - 1;
    is_deeply [grep { !/\A401 (?:credential_missing|token_malformed|signature_invalid)\z/ } @verdicts], [],
        'are all refused';
};

$server->stop;
$upstream->stop;

done_testing;
