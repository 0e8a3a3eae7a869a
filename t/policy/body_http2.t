# Bodies over HTTP/2: whenever their data comes, and however long they are.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Body;
use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::File;
use Test::Mesh::Http2;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(echo_all);
use Test::Mesh::Wait;

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
log_format line '$status $mesh_reason';
client_max_body_size 64m;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    access_log %%ROOT%%/logs/line.log line;
    mesh_authenticate token;
    mesh_platform databricks;
    location / { proxy_pass %%UPSTREAM%%; }
    location /bound/ {
        mesh_platform databricks prefix=/bound;
        mesh_body_inspect 64;
        proxy_pass %%UPSTREAM%%;
    }
    location /nginx/ {
        mesh_platform databricks prefix=/nginx;
        client_max_body_size 64;
        client_body_buffer_size 16;
        proxy_pass %%UPSTREAM%%;
    }
    location /late/ {
        mesh_platform databricks prefix=/late;
        mesh_body_timeout 1s;
        proxy_pass %%UPSTREAM%%;
    }
    location /unbuffered/ {
        mesh_platform databricks prefix=/unbuffered;
        proxy_request_buffering off;
        proxy_http_version 1.1;
        proxy_pass %%UPSTREAM%%;
    }
    location = /status { mesh_authenticate off; mesh_platform off; mesh_status; }
}
CONF

my $token = token(subject => 'etl');
my $path = '/api/2.1/jobs/run-now';
my $client = Test::Mesh::Http2->connect($server->port('h2'));

sub begin ($path, @fields) {
    return $client->begin(POST => $path,
        [authorization => "Bearer $token", 'content-type' => 'application/json', @fields], body => 1);
}

# Lets its data come in pieces, each of which is there before the next one is sent.
sub send_pieces ($stream, @pieces) {
    my $last = pop @pieces;
    $client->ping;
    $client->data($stream, $_)->ping for @pieces;
    $client->data($stream, $last, last => 1);
    return $client->response($stream);
}

sub status ($response) { return $response ? $response->{status} : 'reset' }

sub reasons ($pattern) { return scalar(() = slurp($server->root . '/logs/line.log', '') =~ /^$pattern$/mg) }

subtest 'data with the header, and after it' => sub {
    for my $job (42, 43) {
        my $body = qq({"x":"yyyy","job_id":$job});
        for my $length (0, 1) {
            my @length = $length ? ('content-length' => length $body) : ();
            for ([$body], ['', $body], [$body, ''], [split //, $body], [substr($body, 0, 9), substr $body, 9]) {
                my $response = send_pieces(begin($path, @length), @$_);
                is status($response), $job == 42 ? 200 : 403, "$job in " . @$_ . ($length ? ', its length is told' : '');
                is arrived_body($response), $body if $job == 42;
            }
            # All of it in one write, with the header.
            my $stream = begin($path, @length);
            is status($client->data($stream, $body, last => 1)->response($stream)), $job == 42 ? 200 : 403, 'at once';
        }
    }
};

subtest 'large bodies' => sub {
    for my $size (20_000, 70_000, 900_000) {
        for my $job (42, 43) {
            my $body = qq({"x":") . 'y' x $size . qq(","job_id":$job});
            my $stream = begin($path);
            $client->data($stream, $body, last => 1);
            my $response = $client->response($stream);
            is status($response), $job == 42 ? 200 : 403, "$size bytes";
            ok arrived_body($response) eq $body, '... arrive' if $job == 42;
        }
    }
    $server->expect_log(qr/a client request body is buffered to a temporary file/);
    my $body = '{"x":"' . 'y' x 2_000_000 . '","job_id":42}';
    my $stream = begin($path);
    $client->data($stream, $body, last => 1);
    is status($client->response($stream)), 413, 'past the bound';
    is_soon(sub { reasons('413 body_too_large') }, 1, 'the log says why');
};

subtest 'without a body' => sub {
    my $stream = $client->begin(GET => '/api/2.1/jobs/get?job_id=42', [authorization => "Bearer $token"]);
    is status($client->response($stream)), 200;
    $stream = $client->begin(GET => '/api/2.1/jobs/get?job_id=42', [authorization => "Bearer $token"], body => 1);
    $client->ping->data($stream, '', last => 1);
    is status($client->response($stream)), 200, 'one that proves to be empty';
    $stream = $client->begin(GET => '/api/2.1/jobs/get?job_id=42', [authorization => "Bearer $token"], body => 1);
    $client->ping->data($stream, 'x', last => 1);
    is status($client->response($stream)), 415, '... or not';
    $stream = $client->begin(POST => $path, [authorization => "Bearer $token"]);
    is status($client->response($stream)), 400, 'a member is missing';
    is_soon(sub { reasons('400 body_member_missing') }, 1, 'the log says why');
};

subtest 'a length that is not that of the data' => sub {
    is status(send_pieces(begin($path, 'content-length' => 20), '{"job_id":42}')), 400, 'less';
    is status(send_pieces(begin($path, 'content-length' => 20), '{"job_', 'id":42}')), 400, 'less in pieces';
    is status(send_pieces(begin($path, 'content-length' => 5), '{"job_', 'id":42}')), 400, 'more';
    is status(send_pieces(begin($path, 'content-length' => 13), '{"job_id":42}')), 200, 'the connection goes on';
    # Its own bound, which Nginx finds once the request waits.
    is status(send_pieces(begin("/nginx$path"), (' ' x 40) x 3)), 413, 'more than Nginx takes';
    is status(send_pieces(begin("/nginx$path"), '{"job_', 'id":42}')), 200;
};

subtest 'the byte past the bound' => sub {
    my $body = '{"job_id":42}' . ' ' x 51;
    is status(send_pieces(begin("/bound$path"), $body)), 200;
    is status(send_pieces(begin("/bound$path"), split(//, $body))), 200;
    is status(send_pieces(begin("/bound$path"), $body, ' ')), 413;
    my $stream = begin("/bound$path", 'content-length' => 65);
    is status($client->response($stream)), 413, 'before any of it';
    $stream = begin("/bound$path");
    $client->data($stream, ' ' x 65);
    is status($client->response($stream)), 413, 'before the end';
    $client->data($stream, 'x' x 1000);
    is status(send_pieces(begin("/bound$path"), $body)), 200, 'the connection goes on';
};

subtest 'a body that is refused as it comes' => sub {
    my $stream = begin($path);
    $client->ping->data($stream, '{"job_id":42,"job_id":42');
    is status($client->response($stream)), 400;
    $stream = begin($path);
    $client->ping->data($stream, '!' . 'x' x 50_000);
    is status($client->response($stream)), 400;
    is status(send_pieces(begin($path), '{"job_id":42}')), 200, 'other streams go on';
};

subtest 'a body that is late' => sub {
    my $stream = begin("/late$path");
    $client->ping->data($stream, '{"job');
    is status($client->response($stream)), 408;
    is_soon(sub { reasons('408 body_timeout') }, 1, 'the log says why');
    is status(send_pieces(begin($path), '{"job_id":42}')), 200, 'other streams go on';
};

subtest 'streams that are reset, and connections that end' => sub {
    my $before = reasons('499 \S+');
    my @streams = map { begin($path) } 1 .. 20;
    $client->ping;
    $client->data($_, '{"job') for @streams;
    $client->ping;
    $client->reset($_) for @streams;
    $server->await('499', sub { reasons('499 \S+') == $before + 20 });
    is status(send_pieces(begin($path), '{"job_id":42}')), 200, 'the connection goes on';
    my $gone = Test::Mesh::Http2->connect($server->port('h2'));
    for (1 .. 20) {
        my $stream = $gone->begin(POST => $path,
            [authorization => "Bearer $token", 'content-type' => 'application/json'], body => 1);
        $gone->data($stream, '{"job');
    }
    $gone->ping->close;
    $server->await('499', sub { reasons('499 \S+') == $before + 40 });
    pass 'all are seen to go';
};

subtest 'a refusal while the body comes' => sub {
    for my $part ('', '{', '{"job_id":42}') {
        my $stream = $client->begin(POST => $path, [authorization => 'Bearer x.y.z', 'content-type' => 'application/json'], body => 1);
        $client->data($stream, $part) if length $part;
        is status($client->response($stream)), 401, 'its answer does not wait';
    }
    is status(send_pieces(begin($path), '{"job_id":42}')), 200, 'the connection goes on';
};

subtest 'without buffering' => sub {
    for my $job (42, 43) {
        my $response = send_pieces(begin("/unbuffered$path"), '{"job_', qq(id":$job}));
        is status($response), $job == 42 ? 200 : 403;
        is arrived_body($response), '{"job_id":42}' if $job == 42;
    }
};

subtest 'many streams at once' => sub {
    my %streams = map { begin($path) => $_ % 2 } 1 .. 100;
    $client->ping;
    my @streams = sort { $a <=> $b } keys %streams;
    $client->data($_, '{"job_id":') for @streams;
    $client->ping;
    $client->data($_, $streams{$_} ? '42}' : '43}', last => 1) for reverse @streams;
    my @wrong = grep { status($client->response($_)) != ($streams{$_} ? 200 : 403) } @streams;
    is_deeply \@wrong, [], 'each has its own answer';
};

subtest 'curl' => sub {
    my $url = 'http://127.0.0.1:' . $server->port('h2');
    for my $job (42, 43) {
        spew("$dir/body", qq({"x":") . 'y' x 100_000 . qq(","job_id":$job}));
        for my $how ("-d\@$dir/body", "-T$dir/body") {
            my $status = curl('--http2-prior-knowledge', qw(-o /dev/null -w %{http_code} -X POST -H), bearer_of($token),
                '-H', 'Content-Type: application/json', $how, "$url$path");
            is $status, $job == 42 ? 200 : 403, $how;
        }
    }
};

$client->close;
$server->stop;
done_testing;
