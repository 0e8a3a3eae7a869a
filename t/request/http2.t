# Over HTTP/2 a request is judged as over HTTP/1: tokens, certificates and limits, on one
# connection with many streams.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger, workers => 2);
include %%KEYS%%/issuers.conf;
add_header Reason $mesh_reason always;
server {
    listen 127.0.0.1:%%PORT%% http2;
    mesh_authenticate token;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /limited { mesh_limit plain rate=1r/h burst=9; empty_gif; }
    location /fast { empty_gif; }
    location /cookie { mesh_token_source cookie session; proxy_pass http://127.0.0.1:UPSTREAM; }
}
server {
    server_name localhost;
    %%TLS http2%%
    ssl_verify_client optional_no_ca;
    location /certificate { mesh_authenticate certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /both { mesh_authenticate token certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /limited { mesh_authenticate certificate; mesh_limit streams rate=1r/h burst=9; empty_gif; }
}
CONF

# Requests on one connection: `VERSION STATUS [REASON] CONNECTIONS` of each, and their bodies.
sub over_http2 ($port, $targets, @arguments) {
    my $is_tls = $port eq 'tls';
    my $body = $server->root . '/body';
    unlink glob "$body.*";
    my @urls = map { (($is_tls ? 'https://localhost:' : 'http://127.0.0.1:') . $server->port($port) . $_) } @$targets;
    my $told = curl($is_tls ? '--http2' : '--http2-prior-knowledge', @arguments,
        '-w', '%{http_version} %{http_code} %header{reason} %{num_connects}\n',
        map { ('-o', "$body.$_", $urls[$_]) } keys @urls);
    my @lines = map { s/\s+\z//r =~ s/  / /r } split /^/, $told;
    return { lines => \@lines, bodies => [map { slurp("$body.$_", '') } keys @urls] };
}

my @expired = ('-H', bearer(expires => '-1h'));
my @token = ('-H', bearer());
for my $row (
    ['', '/', [@token], 200, ''],
    ['', '/', [], 401, 'credential_missing'],
    ['', '/', [@expired], 401, 'token_expired'],
    ['', '/', ['-H', 'Authorization: Bearer x'], 401, 'token_malformed'],
    ['', '/', [@token, @token], 400, ''],
    ['tls', '/certificate', [curl_tls('spiffe')], 200, ''],
    ['tls', '/certificate', [curl_tls('dns')], 200, ''],
    ['tls', '/certificate', [curl_tls('foreign')], 401, 'certificate_unverified'],
    ['tls', '/certificate', [curl_tls('ca-leaf')], 401, 'certificate_nameless'],
    ['tls', '/certificate', [curl_tls()], 401, 'certificate_missing'],
    ['tls', '/both', [curl_tls('spiffe'), @token], 200, ''],
    ['tls', '/both', [curl_tls('spiffe')], 401, 'credential_missing'],
    ['tls', '/both', [curl_tls(), @token], 401, 'certificate_missing'],
    ['tls', '/any', [curl_tls('spiffe')], 200, ''],
    ['tls', '/any', [curl_tls(), @token], 200, ''],
    ['tls', '/any', [curl_tls('foreign'), @token], 401, 'certificate_unverified'],
    ['tls', '/any', [curl_tls('spiffe'), @expired], 401, 'token_expired'],
) {
    my ($port, $target, $arguments, $status, $reason) = @$row;
    my $answer = over_http2($port, [$target], @$arguments, '-H', 'x-mesh-service: forged');
    is_deeply $answer->{lines}, [join ' ', 2, $status, $reason || (), 1],
        join ' ', "$target: $status", $reason;
    my @services = fields($answer->{bodies}[0], 'X-Mesh-Service');
    is @services, $status == 200 ? 1 : 0, '... as the upstream sees';
    isnt $services[0], 'forged', '... from us' if @services;
}

# Streams of one connection are requests of their own.
my $streams = over_http2('tls', [('/certificate') x 5], curl_tls('spiffe'));
is_deeply $streams->{lines}, ['2 200 1', ('2 200 0') x 4], 'a certificate holds for each stream of its connection';
is_deeply [map { fields($_, 'X-Mesh-Service') } $streams->{bodies}->@*],
    [('spiffe://prod.example/ns/shop/sa/orders-api') x 5], '... by name';

my $limited = over_http2('tls', [('/limited') x 12], curl_tls('spiffe'));
is_deeply $limited->{lines}, ['2 200 1', ('2 200 0') x 9, ('2 429 limited 0') x 2], 'a limit counts streams';

# Here a client may split its cookies into several fields (RFC 9113 section 8.2.3), which are one.
my @cookies = ('-H', 'cookie: a=1', '-H', 'cookie: session=' . token(), '-H', 'cookie: b=2');
my $cookies = over_http2('', ['/cookie'], @cookies);
is_deeply $cookies->{lines}, ['2 200 1'], 'a token in one of several cookie fields';
like $cookies->{bodies}[0], qr/^Cookie: a=1; b=2\r$/mi, '... of which the others go upstream';
$cookies = over_http2('', ['/cookie'], @cookies, '-H', 'cookie: session=x');
is_deeply $cookies->{lines}, ['2 400 credential_conflict 1'], '... and two of which are a conflict';

sub counted_by_h2load ($url, @arguments) {
    my $log = qx{h2load -n 400 -c 2 -m 32 @{[map { "'$_'" } @arguments, $url]} 2>&1};
    my ($counted) = $log =~ /^status codes: (.*)$/m;
    return $counted;
}

SKIP: {
    skip 'without h2load', 3 if qx{h2load --version 2>&1} !~ /nghttp2/;
    my $url = 'http://127.0.0.1:' . $server->port;
    is counted_by_h2load("$url/fast", '-H', bearer()), '400 2xx, 0 3xx, 0 4xx, 0 5xx', 'many streams at once are admitted';
    is counted_by_h2load("$url/fast"), '0 2xx, 0 3xx, 400 4xx, 0 5xx', '... or refused';
    is counted_by_h2load("$url/limited", '-H', bearer()), '10 2xx, 0 3xx, 390 4xx, 0 5xx',
        '... or counted, exactly, by two workers';
}

$server->stop;
done_testing;
