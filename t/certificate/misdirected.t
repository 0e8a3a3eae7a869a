# A certificate counts only in the server whose settings verified it: a Host that leads to another
# one is misdirected, with SNI or without.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
ssl_certificate %%KEYS%%/server.pem;
ssl_certificate_key %%KEYS%%/server.key;
ssl_protocols TLSv1.2 TLSv1.3;
add_header Reason $mesh_reason always;
add_header X-Server $server_name always;
# The default server believes an authority that b.test does not.
server {
    listen 127.0.0.1:%%PORT%% ssl http2;
    server_name a.test;
    ssl_client_certificate %%KEYS%%/other-ca.pem;
    ssl_verify_client optional;
    location / { mesh_authenticate certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /token { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /open { proxy_pass http://127.0.0.1:UPSTREAM; }
}
server {
    listen 127.0.0.1:%%PORT%% ssl http2;
    server_name b.test *.b.test;
    ssl_client_certificate %%KEYS%%/ca.pem;
    ssl_verify_client optional;
    location / { mesh_authenticate certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /token { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /satisfied {
        satisfy any;
        allow all;
        mesh_authenticate certificate;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /open { proxy_pass http://127.0.0.1:UPSTREAM; }
}
# Asks nobody for a certificate.
server {
    listen 127.0.0.1:%%PORT%% ssl http2;
    server_name localhost;
    location / { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my $ID = 'spiffe://prod.example/ns/shop/sa/orders-api';

# An SNI (or none), a Host, a target, a certificate; the status and the reason, or the identity.
sub ask_by_sni ($sni, $host, $target, $certificate, @headers) {
    # IO::Socket::SSL sends no SNI where the name is empty.
    return $server->request('GET', $target, tls => tls($certificate, sni => $sni, name => $sni || 'localhost'),
        headers => ["Host: $host", @headers]);
}

for my $row (
    # The same server, by every way that leads to it.
    ['b.test', 'b.test', '/', 'spiffe', $ID],
    ['b.test', 'B.Test', '/', 'spiffe', $ID],
    ['b.test', 'b.test.', '/', 'spiffe', $ID],
    ['b.test', 'b.test:8443', '/', 'spiffe', $ID],
    ['a.test', 'a.test', '/', 'foreign', $ID],
    ['', 'a.test', '/', 'foreign', $ID],
    ['', 'unknown.test', '/', 'foreign', $ID],
    # Without SNI, the handshake is that of the default server.
    ['', 'b.test', '/', 'foreign', '421 certificate_misdirected'],
    ['', 'B.TEST', '/', 'foreign', '421 certificate_misdirected'],
    ['', 'b.test.', '/', 'foreign', '421 certificate_misdirected'],
    ['', 'x.b.test', '/', 'foreign', '421 certificate_misdirected'],
    ['', 'b.test', '/any', 'foreign', '421 certificate_misdirected'],
    ['', 'b.test', '/satisfied', 'foreign', '421 certificate_misdirected'],
    ['', 'b.test', '/', 'none', '401 certificate_missing'],
    # What the default server refuses, Nginx refuses itself.
    ['', 'b.test', '/', 'spiffe', 400],
    # With SNI, Nginx says so itself.
    ['a.test', 'b.test', '/', 'foreign', 421],
    ['a.test', 'b.test', '/open', 'none', 421],
    ['b.test', 'a.test', '/', 'spiffe', 421],
    ['b.test', 'a.test', '/token', 'none', 421],
    ['localhost', 'b.test', '/', 'spiffe', 421],
    # That server's handshake has no certificate.
    ['localhost', 'localhost', '/', 'spiffe', '401 credential_missing'],
) {
    my ($sni, $host, $target, $certificate, $expected) = @$row;
    my $response = ask_by_sni($sni, $host, $target, $certificate, 'X-Mesh-Spiffe-Id: forged');
    my $what = join ', ', $sni ? "SNI $sni" : 'no SNI', "Host $host", "$target with $certificate";
    if ($expected eq $ID) {
        is $response->{status}, 200, $what;
        is_deeply [arrived($response, 'X-Mesh-Spiffe-Id')], [$ID], '... is who it is';
        next;
    }
    my ($status, $reason) = split / /, $expected;
    is $response->{status}, $status, "$what: $expected";
    is $response->{headers}{reason}, $reason, '... by us, or not by us' if $status != 421 || $reason;
    ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
}

# A token is the bearer's wherever the handshake was.
is ask_by_sni('', 'b.test', '/token', 'foreign', bearer())->{status}, 200, 'a token is not misdirected by a certificate';
is ask_by_sni('', 'b.test', '/any', 'none', bearer())->{status}, 200, '... nor by none';
is ask_by_sni('', 'b.test', '/any', 'foreign', bearer())->{status}, 421, '... but a certificate that is read, is';
is ask_by_sni('', 'b.test', '/token', 'foreign', bearer(thumbprint_of => key_path('foreign.pem')))->{status}, 200,
    'a token that is bound to the certificate of the connection is the bearer\'s, too';
is ask_by_sni('', 'b.test', '/open', 'foreign')->{status}, 200, 'an open location asks nothing';

# A connection that goes on: each request by its own Host.
my $client = $server->connect(tls => tls('foreign', sni => '', name => 'localhost'));
my @statuses = map { $client->request('GET', '/', headers => ["Host: $_"])->{status} }
    qw(a.test b.test a.test b.test);
is_deeply \@statuses, [200, 421, 200, 421], 'on one connection, each request by its own Host';
$client->close;

# HTTP/2, where clients reuse connections for other names: a Host by hand, as curl sends :authority.
is curl(qw(--http2 -k -o /dev/null -w), '%{http_version} %{http_code}', curl_tls('foreign'), '-H', 'Host: b.test',
    'https://127.0.0.1:' . $server->port . '/'), '2 421', 'and so over HTTP/2';

my $log = $server->error_log;
like $log, qr/\[error\].* mesh refuses, reason: certificate_misdirected, client: 127\.0\.0\.1/, 'it is logged';
unlike $log, qr/BEGIN CERTIFICATE|Bearer/, '... without a credential';

$server->stop;
done_testing;
