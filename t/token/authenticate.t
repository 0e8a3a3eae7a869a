# mesh_authenticate says which credentials are read, and that they must be there and be right.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
add_header Reason $mesh_reason always;
add_header Method $mesh_method always;
add_header Service $mesh_service always;
add_header Decision $mesh_decision always;

server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    server_name localhost;
    ssl_verify_client optional_no_ca;
    ssl_verify_depth 1;

    location = /default { proxy_pass %%UPSTREAM%%; }
    location = /off { mesh_authenticate off; proxy_pass %%UPSTREAM%%; }
    location = /any { mesh_authenticate any; proxy_pass %%UPSTREAM%%; }
    location = /token { mesh_authenticate token; proxy_pass %%UPSTREAM%%; }
    location = /certificate { mesh_authenticate certificate; proxy_pass %%UPSTREAM%%; }
    location = /both { mesh_authenticate token certificate; proxy_pass %%UPSTREAM%%; }
    location = /reversed { mesh_authenticate certificate token; proxy_pass %%UPSTREAM%%; }
}
CONF

# The columns of an answer: verdict, method, what arrived upstream of it.
sub method_and_service ($response) {
    my ($service) = arrived($response, 'X-Mesh-Service');
    return join ' | ', verdict($response), $response->{headers}{method} // '-', $service // '-';
}

my $spiffe = 'spiffe://prod.example/ns/shop/sa/orders-api';
my @table = (
    # target, certificate, token, what comes of it
    ['/default', 'spiffe', {}, '200 | - | -'],
    ['/off', 'spiffe', {}, '200 | - | -'],
    ['/off', undef, { expires => '-1h' }, '200 | - | -'],

    ['/token', undef, {}, '200 | token | orders-api'],
    ['/token', undef, undef, '401 credential_missing | - | -'],
    ['/token', undef, { expires => '-1h' }, '401 token_expired | - | -'],
    ['/token', 'spiffe', undef, '401 credential_missing | - | -'],
    ['/token', 'spiffe', {}, '200 | token | orders-api'],
    ['/token', 'foreign', {}, '200 | token | orders-api'],

    ['/certificate', 'spiffe', undef, "200 | certificate | $spiffe"],
    ['/certificate', 'dns', undef, '200 | certificate | orders.example'],
    ['/certificate', undef, undef, '401 certificate_missing | - | -'],
    ['/certificate', undef, {}, '401 certificate_missing | - | -'],
    ['/certificate', 'spiffe', { expires => '-1h' }, "200 | certificate | $spiffe"],
    ['/certificate', 'foreign', undef, '401 certificate_unverified | - | -'],
    ['/certificate', 'spiffe-two-uris', undef, '401 certificate_nameless | - | -'],
    ['/certificate', 'two-dns', undef, '401 certificate_nameless | - | -'],
    ['/certificate', 'cn-only', undef, '401 certificate_nameless | - | -'],
    ['/certificate', 'ca-leaf', undef, '401 certificate_nameless | - | -'],

    ['/both', 'spiffe', {}, '200 | token certificate | orders-api'],
    ['/both', 'spiffe', undef, '401 credential_missing | - | -'],
    ['/both', undef, {}, '401 certificate_missing | - | -'],
    ['/both', undef, undef, '401 credential_missing | - | -'],
    ['/both', 'foreign', {}, '401 certificate_unverified | - | -'],
    ['/both', 'spiffe', { expires => '-1h' }, '401 token_expired | - | -'],
    ['/reversed', 'spiffe', {}, '200 | token certificate | orders-api'],
    ['/reversed', 'spiffe', undef, '401 credential_missing | - | -'],

    ['/any', undef, {}, '200 | token | orders-api'],
    ['/any', 'spiffe', undef, "200 | certificate | $spiffe"],
    ['/any', 'spiffe', {}, '200 | token certificate | orders-api'],
    ['/any', undef, undef, '401 credential_missing | - | -'],
    # One is enough, but none may be wrong.
    ['/any', 'foreign', {}, '401 certificate_unverified | - | -'],
    ['/any', 'spiffe', { expires => '-1h' }, '401 token_expired | - | -'],
    ['/any', 'spiffe-two-uris', {}, '401 certificate_nameless | - | -'],
);
for my $row (@table) {
    my ($target, $certificate, $token, $expected) = @$row;
    my $shown = !$token ? 'no token' : %$token ? 'an expired token' : 'a token';
    is method_and_service($server->get_as($certificate, $target, $token ? bearer(%$token) : ())), $expected,
        "$target: $shown, certificate " . ($certificate // 'none');
}

my $asks = qr/\ABearer realm="mesh", DPoP realm="mesh", algs="[\w ]+"\z/;
like $server->get_as(undef, '/token')->{headers}{'www-authenticate'}, $asks, 'who sends no token is asked for one';
like $server->get_as(undef, '/both')->{headers}{'www-authenticate'}, $asks, '... where a certificate is needed too';
is $server->get_as(undef, '/certificate')->{headers}{'www-authenticate'}, undef,
    '... but not where none is read';
is $server->get('/certificate', bearer())->{status}, 401, 'without TLS there is no certificate';
is $server->get('/any', bearer())->{status}, 200, '... and any takes the token';
is $server->get('/off')->{headers}{decision}, undef, 'off decides nothing';
is $server->get('/token')->{headers}{decision}, 'refused', 'a refusal is a decision';
is $server->get('/token', bearer())->{headers}{decision}, 'allowed', '... and so is an admission';
is verdict($server->request($_, '/token')), '401 credential_missing', "no method is exempt: $_"
    for qw(OPTIONS POST PUT DELETE PATCH PROPFIND HEAD);
is verdict($server->request('OPTIONS', '/token',
    headers => ['Origin: https://a.example', 'Access-Control-Request-Method: GET'])),
    '401 credential_missing', '... nor a preflight';
$server->stop;

subtest 'a level inherits, and off is a value' => sub {
    my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr, name => 'levels');
include %%KEYS%%/issuers.conf;
mesh_authenticate token;
add_header Reason $mesh_reason always;

server {
    listen 127.0.0.1:%%PORT%%;
    location = /http { empty_gif; }
    location /off/ {
        mesh_authenticate off;
        empty_gif;
        location = /off/inner { empty_gif; }
        location = /off/on { mesh_authenticate token; empty_gif; }
    }
    location /if {
        if ($arg_matches) { set $matched 1; }
        empty_gif;
    }
    location /if-off {
        mesh_authenticate off;
        if ($arg_matches) { set $matched 1; }
        empty_gif;
    }
    location /limit_except {
        limit_except POST { allow all; }
        proxy_pass %%UPSTREAM%%;
    }
    location /regex { location ~ \.gif$ { empty_gif; } }
    location / { root %%KEYS%%; }
}
server {
    listen 127.0.0.1:%%PORT:open%%;
    mesh_authenticate off;
    location = /server { empty_gif; }
    location = /on { mesh_authenticate token; empty_gif; }
}
CONF
    my $is_open = sub ($target, $port = '') {
        return verdict($server->request('GET', $target, port => $port)) eq '200';
    };
    my $is_closed = sub ($target, $port = '') {
        my @request = ('GET', $target, port => $port);
        return verdict($server->request(@request)) eq '401 credential_missing'
            && verdict($server->request(@request, headers => [bearer()])) eq '200';
    };
    ok $is_closed->($_), "closed: $_"
        for '/http', '/off/on', '/if', '/if?matches=1', '/limit_except', '/regex/a.gif', '/ca.pem';
    ok $is_open->($_), "open: $_" for '/off/a', '/off/inner', '/if-off', '/if-off?matches=1';
    ok $is_open->('/server', 'open'), 'open: a server of its own mind';
    ok $is_closed->('/on', 'open'), 'closed: a location of it';
    $server->stop;
};

subtest 'what is refused at the start' => sub {
    my $issuers = "include %%KEYS%%/issuers.conf;\n";
    refused_at("${issuers}mesh_authenticate $_; # here\n", qq(mesh_authenticate: "$_" is not off, any, token, certificate, or))
        for 'on', 'Token', 'hop', 'token token', 'any token', 'off token', 'certificate any';
    refused_at("mesh_authenticate; # here\n", 'invalid number of arguments in "mesh_authenticate"');
    refused_at("mesh_authenticate token certificate any; # here\n", 'invalid number of arguments in "mesh_authenticate"');
    refused_at("${issuers}server {\n mesh_authenticate token;\n mesh_authenticate off; # here\n}\n",
        'mesh_authenticate: is duplicate');
    refused_at("upstream u {\n mesh_authenticate token; # here\n server 127.0.0.1:1; }\n",
        '"mesh_authenticate" directive is not allowed here');
    refused_at("server { location / {\n if (\$arg_a) {\n mesh_authenticate off; # here\n} } }\n",
        'mesh_authenticate: is in an "if": ');
    refused_at("server {\n mesh_authenticate token; # here\n}\n", 'mesh_authenticate needs a mesh_issuer to read tokens');
    my $tls_server = "server { listen 127.0.0.1:1 ssl; ssl_certificate %%KEYS%%/server.pem;"
        . " ssl_certificate_key %%KEYS%%/server.key;\n";
    for my $methods ('certificate', 'token certificate') {
        refused_at("$issuers$tls_server location / {\n mesh_authenticate $methods; # here\n} }\n",
            'mesh_authenticate certificate needs ssl_verify_client', "$methods without ssl_verify_client");
    }
    refused_at("${issuers}server {\n location / {\n mesh_authenticate certificate; # here\n} }\n",
        'mesh_authenticate certificate needs ssl_verify_client', 'certificate without TLS');
    config_accepted("$issuers$tls_server mesh_authenticate any; }", 'any without it');
    config_accepted("$issuers$tls_server ssl_verify_client $_; ssl_client_certificate %%KEYS%%/ca.pem;"
        . ' location / { mesh_authenticate certificate; } }', "certificate with ssl_verify_client $_")
        for qw(on optional optional_no_ca);
    config_accepted("${issuers}server { location /a { mesh_authenticate token; return 200; } }",
        'return in a protected location', says => qr/\[warn\].*does not protect a location that answers by "return".*"\/a"/);
};

$upstream->stop;

done_testing;
