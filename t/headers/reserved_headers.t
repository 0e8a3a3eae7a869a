# Nobody but the module says X-Mesh-*: every spelling goes on every path, and nothing else does.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Witness;

my @RESERVED = (
    qw(X-Mesh-Service x-mesh-service X-MESH-PRINCIPAL X-Mesh-Issuer X-Mesh-Spiffe-Id X-Mesh-Method),
    qw(X-Mesh-Groups X-Mesh- X-Mesh-Any-Other x_mesh_service X_MESH_GROUPS X-Mesh_Service),
    qw(X.Mesh.Service X-MESH~FOO x!mesh!any X*Mesh+Service X|Mesh|Service), 'x#mesh#any', "X\xe9Mesh\xffService",
);
my @OTHERS = qw(X-Mesh XMesh-Service XX-Mesh-Service X-Meshed-Service X--Mesh-Service Mesh-Service A.b);
my @IDENTITY = (
    'X-Mesh-Service: orders-api', 'X-Mesh-Principal: orders-api', 'X-Mesh-Issuer: idp', 'X-Mesh-Method: token',
);

my $upstream = Test::Mesh::Upstream->start;
my $witness = Test::Mesh::Witness->new;
my $conf = <<'CONF' =~ s/UPSTREAM/$upstream->port/ger =~ s/WITNESS/$witness->port/ger;
include %%KEYS%%/issuers.conf;
underscores_in_headers on;
ignore_invalid_headers off;
large_client_header_buffers 8 32k;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    recursive_error_pages on;

    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /protected { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /named { mesh_authenticate token; try_files "" @named; }
    location /to-named { try_files "" @named; }
    location @named { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /refused { mesh_authenticate token; error_page 401 =200 /page; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /refused-named { mesh_authenticate token; error_page 401 =200 @named; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /denied {
        mesh_authenticate token;
        mesh_require_claim /team data;
        error_page 403 =200 @named;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /missing { error_page 404 =200 /page; root %%ROOT%%/none; }
    location /missing-protected {
        mesh_authenticate token;
        error_page 404 =200 /page;
        root %%ROOT%%/none;
    }
    location /rewritten { rewrite ^ /page last; }
    location /tried { mesh_authenticate token; try_files /none /page; }
    location /accel { mesh_authenticate token; proxy_pass http://127.0.0.1:%%PORT:accel%%; }
    location /ssi { ssi on; ssi_types text/plain; default_type text/html; alias %%ROOT%%/page.html; }
    location /ssi-protected {
        mesh_authenticate token;
        ssi on;
        default_type text/html;
        alias %%ROOT%%/page.html;
    }
    location = /mirrored { mirror /witness; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /mirrored-protected {
        mesh_authenticate token;
        mirror /witness;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location = /asked { auth_request /witness; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /witness { proxy_pass http://127.0.0.1:WITNESS/witness; }
}
server {
    listen 127.0.0.1:%%PORT:accel%%;
    add_header X-Accel-Redirect /page;
    location / { return 200; }
}
# Nginx itself refuses the request, before it is read to its end.
server {
    listen 127.0.0.1:%%PORT:strict%%;
    large_client_header_buffers 2 1k;
    error_page 400 414 494 =200 @page;
    location / { return 204; }
    location @page { proxy_pass http://127.0.0.1:UPSTREAM; }
}
# The same with an error page by path, for which the server's own rewrites run.
server {
    listen 127.0.0.1:%%PORT:rewriting%%;
    large_client_header_buffers 2 1k;
    set $said $http_x_mesh_service;
    error_page 400 414 494 =200 /page;
    location /page { proxy_set_header Said $said; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
my $server = Test::Mesh::Server->start($conf);
spew($server->root . '/page.html', '<!--# include virtual="/included" -->');

my $host = '127.0.0.1:' . $upstream->port;

# What the upstream receives of a request with these header lines.
sub head_of ($target, @lines) {
    return join "\r\n", "GET $target HTTP/1.0", "Host: $host", 'Connection: close', @lines, '';
}

sub forged_lines () { return map { "$_: forged" } @RESERVED }

# The header lines, of which those that are reserved stand where `is_reserved` says.
sub header_lines ($count, $is_reserved) {
    my @reserved = forged_lines();
    return map { $is_reserved->($_) ? $reserved[$_ % @reserved] : sprintf 'H-%03d: %d', $_, $_ } 0 .. $count - 1;
}

sub unforged (@lines) { return grep { !/: forged\z/ } @lines }

for my $name (@RESERVED) {
    my @lines = ('Before: 1', "$name: forged", 'After: 2');
    my $text = $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    is $server->get('/open', @lines)->{body}, head_of('/open', 'Before: 1', 'After: 2'), "$text goes";
}
my @others = map { "$_: kept" } @OTHERS;
is $server->get('/open', forged_lines(), @others)->{body}, head_of('/open', @others), 'names that only look like it stay';
is $server->get('/open', 'X-Mesh-Service:', 'A: 1')->{body}, head_of('/open', 'A: 1'), 'an empty one goes too';
is $server->get('/open', 'X-Mesh-Service: ' . 'a' x 20_000, 'A: 1')->{body}, head_of('/open', 'A: 1'), 'and a long one';

# Nginx keeps headers in parts of twenty.
my %positions = (
    'the first' => sub { $_[0] == 0 },
    'the last' => sub { $_[0] == 199 },
    'one in the middle' => sub { $_[0] == 100 },
    'the first and the last' => sub { $_[0] == 0 || $_[0] == 199 },
    'every second' => sub { $_[0] % 2 },
    'every second but the first' => sub { $_[0] % 2 == 0 },
    'all but one' => sub { $_[0] != 137 },
    'all but the first' => sub { $_[0] != 0 },
    'all but the last' => sub { $_[0] != 199 },
    'the first half' => sub { $_[0] < 100 },
    'the last half' => sub { $_[0] >= 100 },
    'seventy in a row' => sub { $_[0] >= 65 && $_[0] < 135 },
    'all' => sub { 1 },
    'none' => sub { 0 },
    (map { my $at = $_; ("number $at" => sub { $_[0] == $at }) } 15 .. 25, 35 .. 45),
    (map { my $from = $_; ("twenty from number $from" => sub { $_[0] >= $from && $_[0] < $from + 20 }) } 16 .. 24),
);
for my $which (sort keys %positions) {
    my @lines = header_lines(200, $positions{$which});
    is $server->get('/open', @lines)->{body}, head_of('/open', unforged(@lines)), "of 200 headers, $which";
    is $server->get('/protected', bearer(), @lines)->{body}, head_of('/protected', unforged(@lines), @IDENTITY),
        '... with an identity behind them';
}
for my $count (0 .. 3, 17 .. 23) {
    my @lines = header_lines($count, sub { 1 });
    is $server->get('/open', @lines)->{body}, head_of('/open'), "$count headers, all reserved";
}
is $server->raw(join("\r\n", 'GET /open HTTP/1.0', forged_lines(), '', '')) =~ s/.*?\r\n\r\n//sr, head_of('/open'),
    'and nothing else at all, Host included';

my @few = ('A: 1', (forged_lines())[0 .. 3], 'B: 2', (forged_lines())[4 .. $#RESERVED], 'C: 3');
my @kept = unforged(@few);
my @paths = (
    ['/to-named', 'a named location', '/to-named'],
    ['/refused', 'the error page of a refusal', '/page'],
    ['/refused-named', 'a named error page of a refusal', '/refused-named'],
    ['/missing', 'an error page', '/page'],
    ['/rewritten', 'a rewrite', '/page'],
);
for my $row (@paths) {
    my ($target, $what, $arrives) = @$row;
    is $server->get($target, @few)->{body}, head_of($arrives, @kept), "through $what";
}
for my $row (
    ['/named', 'a named location', '/named'],
    # What was not admitted is not taken away.
    ['/denied', 'a named error page of a denial', '/denied', bearer()],
    ['/missing-protected', 'an error page of a protected location', '/page'],
    ['/tried', 'try_files', '/page'],
    ['/accel', 'X-Accel-Redirect', '/page'],
) {
    my ($target, $what, $arrives, @left) = @$row;
    is $server->get($target, bearer(), @few)->{body}, head_of($arrives, @left, @kept),
        "through $what, from protected to open";
}

is $server->get('/ssi', @few)->{body}, head_of('/included', @kept), 'through an included subrequest';
is $server->get('/ssi-protected', bearer(), @few)->{body}, head_of('/included', @kept, @IDENTITY),
    '... of a protected page, whose identity it carries';
for my $row (
    ['/mirrored', [], [], 'a mirror'],
    ['/mirrored-protected', [bearer()], \@IDENTITY, 'a mirror of a protected location'],
    ['/asked', [], [], 'auth_request'],
) {
    my ($target, $credential, $identity, $what) = @$row;
    my $client = $server->connect;
    $client->send(join "\r\n", "GET $target HTTP/1.1", 'Host: a', @few, @$credential, '', '');
    my $seen = $witness->hear(204);
    is $seen, head_of('/witness', @kept, @$identity) =~ s/^Host: \K\S+/'127.0.0.1:' . $witness->port/emr,
        "through $what";
    is $client->response->{body}, head_of($target, @kept, @$identity), '... and to the upstream besides';
    $client->close;
}

my $oversized = 'GET / HTTP/1.1' . "\r\nHost: a\r\n" . join("\r\n", forged_lines()) . "\r\nLong: " . 'a' x 4000 . "\r\n\r\n";
for my $row (['strict', 'a named one'], ['rewriting', 'one that reads headers on its way']) {
    my ($port, $what) = @$row;
    my $page = $server->raw($oversized, port => $port);
    like $page, qr{^Host: \Q$host\E\r$}m, "what Nginx refuses while it reads it gets to its error page, $what";
    unlike $page, qr/forged/, '... without what it had said until then';
}

# HTTP/2 has names in lower case.
my @h2 = map { ('-H', lc) } @few;
for my $row (['/open', [], []], ['/protected', ['-H', bearer()], \@IDENTITY]) {
    my ($target, $credential, $identity) = @$row;
    my $body = curl('--http2-prior-knowledge', '-A', '', @h2, @$credential, '-H', 'Accept:',
        'http://127.0.0.1:' . $server->port('h2') . $target);
    is $body, head_of($target, map({ lc } @kept), @$identity), "over HTTP/2, $target";
}

$server->stop;
done_testing;
