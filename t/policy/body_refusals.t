# A refusal at any stage, with any part of the body there: what follows is a request of its own, or nothing.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Body;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(echo_all);

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services:
  etl: [ { issuer: idp, service: etl } ]
roles:
  runner: [ { databricks: { jobs: ["42"], actions: [run, read] } } ]
bindings:
  - { name: night, role: runner, services: [etl] }
POLICY

my $upstream = Test::Mesh::Upstream->start(answer => \&echo_all);
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
mesh_policy %%DIR%%/policy.yaml;
add_header Reason $mesh_reason always;
client_max_body_size 64m;
lingering_timeout 500ms;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_platform databricks;
    location / { proxy_pass %%UPSTREAM%%; }
    location /limited/ {
        mesh_platform databricks prefix=/limited;
        mesh_limit calls rate=1r/h;
        proxy_pass %%UPSTREAM%%;
    }
    location /bound/ {
        mesh_platform databricks prefix=/bound;
        mesh_body_inspect 64;
        client_max_body_size 32;
        proxy_pass %%UPSTREAM%%;
    }
    location /inspect/ {
        mesh_platform databricks prefix=/inspect;
        mesh_body_inspect 64;
        proxy_pass %%UPSTREAM%%;
    }
    location /paged/ {
        mesh_platform databricks prefix=/paged;
        mesh_body_inspect 64;
        error_page 400 401 403 408 413 415 = @page;
        proxy_pass %%UPSTREAM%%;
    }
    location @page {
        mesh_authenticate off;
        add_header X-Length "length $content_length";
        proxy_pass %%UPSTREAM%%;
    }
}
CONF

my $token = token(subject => 'etl');
my $json = 'Content-Type: application/json';
my $second = head('GET /api/2.1/jobs/get?job_id=42', $token, 'Connection: close');
# A body that would be a request, if it were read as one.
my $smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n" x 3;

sub size_of ($body, $is_chunked) {
    return $is_chunked ? 'Transfer-Encoding: chunked' : 'Content-Length: ' . length $body;
}

# What a client gets that sends a part of a body, waits for the answer if it may come by then, and sends the
# rest with another request behind it: verdicts, until the connection ends.
sub exchange ($line, $headers, $body, $part, $is_chunked, $is_early) {
    my $bytes = $is_chunked ? chunks($body, 11) : $body;
    my $client = $server->connect;
    my $first = head($line, @$headers, size_of($body, $is_chunked));
    my @answers;
    if ($part eq 'all') {
        $client->send($first . $bytes . $second);
    }
    else {
        my $count = $part eq 'none' ? 0 : $part eq 'one' ? 1 : 40;
        $client->send($first . substr $bytes, 0, $count);
        push @answers, $client->response if $is_early;
        $client->send(substr($bytes, $count) . $second);
    }
    # An end by RST is one as well.
    while (my $response = eval { $client->response }) { push @answers, $response }
    return @answers;
}

my %stages = (
    'without a token' => ['401 token_malformed', 'POST /api/2.1/jobs/run-now', ['x.y.z', $json], $smuggled, 1],
    'past a limit' => ['429 limited', 'POST /limited/api/2.1/jobs/run-now', [$token, $json], $smuggled, 1],
    'an unknown operation' => ['403 operation_unknown', 'POST /api/2.1/jobs/nothing', [$token, $json], $smuggled, 1],
    'an ambiguous target' => ['400 request_ambiguous', 'POST /api/2.1/jobs/%2e%2e/x', [$token, $json], $smuggled, 1],
    'a kind that is not granted' =>
        ['403 policy_denied', 'POST /api/2.1/jobs/run-now', [token(subject => 'x'), $json], $smuggled, 1],
    'a type' => ['415 body_type_refused', 'POST /api/2.1/jobs/run-now', [$token, 'Content-Type: text/plain'], $smuggled, 1],
    'a body that is none' => ['400 body_malformed', 'POST /api/2.1/jobs/run-now', [$token, $json], $smuggled, 0],
    'a body that ends late' =>
        ['400 body_malformed', 'POST /api/2.1/jobs/run-now', [$token, $json], "{\"job_id\":42}\r\n\r\n$smuggled", 0],
    'a body without a name' =>
        ['400 body_member_missing', 'POST /api/2.1/jobs/run-now', [$token, $json], '{"x":"' . 'x' x 100 . '"}', 0],
    'a decision' =>
        ['403 policy_denied', 'POST /api/2.1/jobs/run-now', [$token, $json], '{"job_id":43,"x":"' . 'x' x 100 . '"}', 0],
    'too much in chunks' =>
        ['413 body_too_large', 'POST /inspect/api/2.1/jobs/run-now', [$token, $json], (' ' x 60) . $smuggled, 0, 'chunked'],
    'too long' => ['413 body_too_large', 'POST /inspect/api/2.1/jobs/run-now', [$token, $json], $smuggled, 1, 'length'],
    "more in chunks than Nginx takes" =>
        ['413 body_unavailable', 'POST /bound/api/2.1/jobs/run-now', [$token, $json], (' ' x 30) . $smuggled, 0, 'chunked'],
);

is verdict($server->request('POST', '/limited/api/2.1/jobs/run-now', body => '{"job_id":42}',
    headers => [bearer_of($token), $json])), '200', 'a limit is used up';

for my $name (sort keys %stages) {
    subtest $name => sub {
        my ($verdict, $line, $headers, $body, $is_early, $only) = $stages{$name}->@*;
        my $ends = $verdict =~ /\A4(00|08|13|15)/;
        for my $how ('length', 'chunked') {
            next if $only && $only ne $how;
            for my $part ('none', 'one', 'some', 'all') {
                my ($first, @more) = exchange($line, $headers, $body, $part, $how eq 'chunked', $is_early);
                is verdict($first), $verdict, "$part of the body, $how";
                is_deeply [map { verdict($_) } @more], $ends ? [] : ['200'], '... and what follows';
                is $first->{headers}{connection}, 'close', '... the end' if $ends;
            }
        }
    };
}
$server->expect_log(qr/client intended to send too large chunked body/);

subtest 'chunks that are none' => sub {
    for my $part ('', '5;', "5\r\n{\"job", "5\r\n{\"job\r\n") {
        my $client = $server->connect;
        $client->send(head('POST /api/2.1/jobs/run-now', $token, $json, 'Transfer-Encoding: chunked', 'Expect: 100-continue'));
        ok wait_for_100($client), 'the body is waited for';
        $client->send($part . "x\r\n" . $smuggled . $second);
        my $response = $client->response;
        is $response->{status}, 400, 'chunks that are none';
        is $response->{headers}{connection}, 'close';
        is eval { $client->rest } // '', '', 'the connection ends';
    }
    $server->expect_log(qr/client sent invalid chunked body/);
};

subtest 'an error page of a request whose body was read in part' => sub {
    my $paged = 'POST /paged/api/2.1/jobs/run-now';
    for (['x' . $smuggled x 5, 'malformed'], [' ' x 40 . '!' . $smuggled, 'malformed later']) {
        my ($body, $name) = @$_;
        for my $is_chunked (0, 1) {
            next if !$is_chunked && length $body > 64;
            my ($first, @more) = exchange($paged, [$token, $json], $body, 'one', $is_chunked, 0);
            is $first->{status}, 200, "$name: the page comes from an upstream";
            like $first->{body}, qr/^POST \/paged/m;
            is arrived_body($first), '', '... that gets nothing of the body';
            is_deeply [grep { $_ } arrived($first, 'Content-Length')], [], '... nor its length';
            is_deeply [arrived($first, 'Transfer-Encoding')], [];
            is $first->{headers}{'x-length'}, 'length 0', '... by any variable';
            is_deeply \@more, [], 'the connection ends';
        }
    }
    my ($first, @more) = exchange($paged, [$token, $json], '{"job_id":43}', 'one', 0, 0);
    is arrived_body($first), '{"job_id":43}', 'of a whole body all arrives';
    is_deeply [map { verdict($_) } @more], ['200'], '... and the connection goes on';
};

unlike $server->access_log, qr/smuggled/, 'no body was read as a request';

$server->stop;
done_testing;
