# A token that is bound to a certificate is worth nothing without it (RFC 8705 section 3).

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS http2%%
    ssl_verify_client optional_no_ca;
    add_header Reason $mesh_reason always;
    location /token { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /both { mesh_authenticate token certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my $x5t = x5t('spiffe');

sub bound_by ($confirmation) { return bearer(claims => { cnf => $confirmation }) }

my %token = (
    bound => bearer(thumbprint_of => key_path('spiffe.pem')),
    'to another' => bearer(thumbprint_of => key_path('dns.pem')),
    'to a foreign one' => bearer(thumbprint_of => key_path('foreign.pem')),
    unbound => bearer(),
    jkt => bound_by({ jkt => $x5t }),
    'x5t and jkt' => bound_by({ 'x5t#S256' => $x5t, jkt => $x5t }),
    kid => bound_by({ kid => 'a' }),
    empty => bound_by({}),
    'padded' => bound_by({ 'x5t#S256' => "$x5t=" }),
    'cut off' => bound_by({ 'x5t#S256' => substr $x5t, 0, 42 }),
    'empty thumbprint' => bound_by({ 'x5t#S256' => '' }),
    'of a number' => bound_by({ 'x5t#S256' => 1 }),
    'of a list' => bound_by({ 'x5t#S256' => [$x5t] }),
    'no object' => bound_by($x5t),
);

sub is_refused_by ($response, $reason, $what) {
    is $response->{status}, 401, "$what is refused";
    like $response->{headers}{reason}, qr/\A(?:$reason)\z/, "... by $reason";
    like $response->{headers}{'www-authenticate'}, qr/error="invalid_token"/, '... as a bad token';
    ok !exists $response->{headers}{'x-upstream'}, '... and goes nowhere';
    return;
}

for my $target ('/token', '/any', '/both') {
    my $ask = sub ($token, $certificate) {
        my @tls = $certificate eq 'plain' ? () : (port => 'tls', tls => tls($certificate));
        return $server->request('GET', $target, @tls, headers => [$token{$token}]);
    };
    is $ask->('bound', 'spiffe')->{status}, 200, "$target: a bound token with its certificate";
    is $ask->('unbound', 'spiffe')->{status}, 200, '... and one that is not bound';
    for my $row (['bound', 'dns'], ['bound', 'none'], ['bound', 'plain'], ['bound', 'foreign'], ['to another', 'spiffe']) {
        is_refused_by($ask->(@$row), 'binding_mismatch', "$target: token " . join ' with ', @$row);
    }
    is_refused_by($ask->('kid', 'spiffe'), 'binding_unsupported', "$target: a token bound by kid");
    is_refused_by($ask->('jkt', 'spiffe'), 'dpop_missing', "$target: a token bound to a key that is not proven");
    for my $token ('empty', 'padded', 'cut off', 'empty thumbprint', 'of a number', 'of a list', 'no object') {
        is_refused_by($ask->($token, 'spiffe'), 'binding_\w+|claim_malformed', "$target: a binding that is $token");
    }
    is_refused_by($ask->('x5t and jkt', 'spiffe'), 'dpop_missing', "$target: two bindings of which one is proven");
}

# Possession is proven whether the chain is trusted or not: there, only the token is asked for.
my @foreign = (port => 'tls', tls => tls('foreign'), headers => [$token{'to a foreign one'}]);
is $server->request('GET', '/token', @foreign)->{status}, 200, 'a token bound to a certificate of nobody in particular';
is $server->request('GET', '/both', @foreign)->{headers}{reason}, 'certificate_unverified',
    '... does not make it a certificate to believe';

# The cache of verified tokens knows nothing of connections.
for my $round (1 .. 3) {
    is $server->get_as('spiffe', '/token', $token{bound})->{status}, 200,
        "a token that is known, in turn $round";
    is $server->get_as('dns', '/token', $token{bound})->{status}, 401, '... elsewhere, not';
}
my $client = $server->connect(port => 'tls', tls => tls('spiffe'));
my @statuses = map { $client->request('GET', '/token', headers => [$token{$_}])->{status} }
    ('bound', 'to another', 'bound', 'unbound', 'jkt', 'bound');
is_deeply \@statuses, [200, 401, 200, 200, 401, 200], 'on one connection, each token by itself';
$client->close;

for my $row (['spiffe', '2 200'], ['dns', '2 401']) {
    my ($certificate, $expected) = @$row;
    for my $target ('/token', '/both') {
        is curl(qw(--http2 -o /dev/null -w), '%{http_version} %{http_code}', '-H', $token{bound},
            curl_tls($certificate), 'https://localhost:' . $server->port('tls') . $target),
            $expected, "over HTTP/2, $target with $certificate: $expected";
    }
}

$server->stop;
done_testing;
