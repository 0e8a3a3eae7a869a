# Every kind of upstream receives the identity, and no other: FastCGI, uwsgi, SCGI, gRPC, HTTP.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Witness;

my @VARIABLES = map { "http_$_" } qw(x_mesh_service x_mesh_principal x_mesh_issuer x_mesh_method
    x_mesh_groups x_mesh_spiffe_id x_mesh_any x_other authorization);
my $show = join '', map { "$_=\$$_\\n" } @VARIABLES;
# Without the module, which would remove what it is to show.
my $bare = Test::Mesh::Server->start(<<"CONF", name => 'the gRPC server', bare => 1);
underscores_in_headers on;
server {
    listen 127.0.0.1:%%PORT%% http2;
    location / { return 200 "$show"; }
}
CONF

my $upstream = Test::Mesh::Upstream->start;
my $gateway = Test::Mesh::Witness->new;
my %port = (GATEWAY => $gateway->port, UPSTREAM => $upstream->port, GRPC => $bare->port);
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/(GATEWAY|UPSTREAM|GRPC)/$port{$1}/gr);
include %%KEYS%%/issuers.conf;
underscores_in_headers on;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    mesh_authenticate token;
    location /fastcgi { fastcgi_param REQUEST_METHOD $request_method; fastcgi_pass 127.0.0.1:GATEWAY; }
    location /uwsgi { uwsgi_param REQUEST_METHOD $request_method; uwsgi_pass 127.0.0.1:GATEWAY; }
    location /scgi { scgi_param REQUEST_METHOD $request_method; scgi_pass 127.0.0.1:GATEWAY; }
    location /grpc { grpc_pass grpc://127.0.0.1:GRPC; }
    location /http { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /set {
        proxy_set_header X-Mesh-Service "set-here";
        proxy_set_header X-Mesh-Issuer "";
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /forward { mesh_forward_credential on; grpc_pass grpc://127.0.0.1:GRPC; }
    location /no-export { mesh_export off; fastcgi_pass 127.0.0.1:GATEWAY; }
}
CONF

my @forged = ('X-Mesh-Service: forged', 'X_Mesh_Service: forged', 'x-mesh-any: forged', 'X-Other: kept');
my $groups = bearer(claims => { groups => ['data-eng', "\xc3\xbcber"] });
my %IDENTITY = (
    HTTP_X_MESH_SERVICE => 'orders-api', HTTP_X_MESH_PRINCIPAL => 'orders-api', HTTP_X_MESH_ISSUER => 'idp',
    HTTP_X_MESH_METHOD => 'token', HTTP_X_MESH_GROUPS => '["data-eng","\u00fcber"]',
);

sub read_exactly ($socket, $length) {
    my $bytes = '';
    while (length $bytes < $length) {
        sysread $socket, $bytes, $length - length $bytes, length $bytes or die "the gateway is cut off\n";
    }
    return $bytes;
}

# A FastCGI length: one byte, or four with the first bit set.
sub fastcgi_length ($bytes) {
    my $first = unpack 'C', $$bytes;
    return unpack 'C', substr $$bytes, 0, 1, '' if $first < 0x80;
    return 0x7fff_ffff & unpack 'N', substr $$bytes, 0, 4, '';
}

# How each protocol says its parameters, and what an answer is wrapped in.
my %protocol = (
    fastcgi => sub ($socket) {
        my @pairs;
        while (1) {
            my ($type, $length, $padding) = unpack 'x C x2 n C x', read_exactly($socket, 8);
            my $content = substr read_exactly($socket, $length + $padding), 0, $length;
            last if $type == 5 && $length == 0;
            while ($type == 4 && length $content) {
                my @lengths = (fastcgi_length(\$content), fastcgi_length(\$content));
                push @pairs, map { substr $content, 0, $_, '' } @lengths;
            }
        }
        my $answer = "Status: 200\r\nX-Upstream: yes\r\n\r\n";
        print {$socket} pack('C C n n C x', 1, 6, 1, length $answer, 0), $answer, pack('C C n n x2 N x4', 1, 3, 1, 8, 0);
        return @pairs;
    },
    uwsgi => sub ($socket) {
        my $size = unpack 'x v x', read_exactly($socket, 4);
        my @pairs = unpack '(v/a)*', read_exactly($socket, $size);
        print {$socket} "HTTP/1.0 200 OK\r\nX-Upstream: yes\r\n\r\n";
        return @pairs;
    },
    scgi => sub ($socket) {
        my $size = '';
        $size .= read_exactly($socket, 1) until $size =~ /:\z/;
        my @pairs = split /\0/, read_exactly($socket, $size =~ s/:\z//r), -1;
        read_exactly($socket, 1);
        pop @pairs;
        print {$socket} "Status: 200 OK\r\nX-Upstream: yes\r\n\r\n";
        return @pairs;
    },
);

# What the gateway receives, with every name that comes twice as a list.
sub received ($kind, $target, @headers) {
    my $client = $server->connect;
    $client->send(join "\r\n", "GET $target HTTP/1.1", 'Host: a', @headers, 'Connection: close', '', '');
    my $socket = $gateway->accept;
    $socket->autoflush;
    my @pairs = $protocol{$kind}->($socket);
    close $socket;
    my $response = $client->response;
    $client->close;
    is $response->{status}, 200, "$target is answered";
    my %received;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $received{$name} = exists $received{$name} ? "$received{$name}, $value" : $value;
    }
    return \%received;
}

sub mesh ($received) { return { map { $_ => $received->{$_} } grep { /MESH/i } keys %$received } }

for my $kind (sort keys %protocol) {
    my $received = received($kind, "/$kind", @forged, $groups);
    is_deeply mesh($received), \%IDENTITY, '... with the identity alone';
    is $received->{HTTP_X_OTHER}, 'kept', '... and other headers';
    is $received->{HTTP_AUTHORIZATION}, undef, '... but no credential';
    is $server->get("/$kind", @forged)->{status}, 401, '... and nothing without one';
}
is_deeply mesh(received('fastcgi', '/no-export', @forged, $groups)), {}, '... with nothing where nothing is exported';

# gRPC, from either version of HTTP.
sub grpc ($text) { return { map { /^(\w+)=(.+)$/ ? (uc $1 => $2) : () } split /\n/, $text } }

my $over_http1 = $server->get('/grpc', @forged, $groups);
is $over_http1->{status}, 200, 'gRPC is answered';
my $over_http2 = curl('--http2-prior-knowledge', map({ ('-H', $_) } @forged, $groups),
    'http://127.0.0.1:' . $server->port('h2') . '/grpc');
for my $body ($over_http1->{body}, $over_http2) {
    is_deeply grpc($body), { %IDENTITY, HTTP_X_OTHER => 'kept' }, '... with the identity alone';
}
is $server->get('/grpc', @forged)->{status}, 401, '... and nothing without one';
is grpc($server->get('/forward', $groups)->{body})->{HTTP_AUTHORIZATION}, $groups =~ s/^Authorization: //r,
    '... with the credential where it is forwarded';

# HTTP: what the configuration sets comes in place of what is exported.
is_deeply [arrived($server->get('/http', @forged, $groups), 'X-Mesh-Service')], ['orders-api'],
    'HTTP has the identity';
my $set = $server->get('/set', @forged, $groups)->{body};
is_deeply [fields($set, 'X-Mesh-Service')], ['set-here'], '... unless the configuration says another';
unlike $set, qr/^X-Mesh-Issuer/mi, '... or none';
like $set, qr/^X-Mesh-Principal: orders-api\r$/m, '... and the rest as it is';

$server->stop;
$bare->stop;
done_testing;
