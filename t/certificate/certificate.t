# A certificate is an identity when Nginx verified its chain and it holds exactly one usable name; which
# one, t/certificate/certificate_names.t tells.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
ssl_protocols TLSv1.2 TLSv1.3;
mesh_authenticate certificate;
add_header Reason $mesh_reason always;
add_header X-Reused $ssl_session_reused always;
server {
    %%TLS%%
    ssl_verify_client optional;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /cn { mesh_certificate_name spiffe dns cn; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /cn-alone { mesh_certificate_name cn; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /dns { mesh_certificate_name dns; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /spiffe { mesh_certificate_name spiffe; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /claim { mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /domain {
        add_header X-Domain $mesh_trust_domain;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /limited { mesh_limit calls rate=1r/h burst=1; proxy_pass http://127.0.0.1:UPSTREAM; }
}
server {
    %%TLS:lax%%
    ssl_verify_client optional_no_ca;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
# Nginx answers 495 to a certificate that it refuses: here, somebody lets it in again.
server {
    %%TLS:pardoned%%
    ssl_verify_client optional;
    error_page 495 =200 /;
    error_page 496 =200 /;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
server {
    %%TLS:strict%%
    ssl_verify_client on;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my $ID = 'spiffe://prod.example/ns/shop/sa/orders-api';

# A certificate, where to, and what becomes of it: a name, or status and reason.
for my $row (
    ['spiffe', '', '/', $ID], ['dns', '', '/', 'orders.example'],
    ['cn-only', '', '/', '401 certificate_nameless'], ['cn-only', '', '/cn', 'cn-only'],
    ['cn-only', '', '/cn-alone', 'cn-only'],
    # The certificate says which kind of name it has.
    ['spiffe', '', '/cn', $ID], ['spiffe', '', '/cn-alone', '401 certificate_nameless'],
    ['spiffe', '', '/dns', '401 certificate_nameless'], ['spiffe', '', '/spiffe', $ID],
    ['dns', '', '/cn', 'orders.example'], ['dns', '', '/cn-alone', 'dns'],
    ['dns', '', '/spiffe', '401 certificate_nameless'], ['dns', '', '/dns', 'orders.example'],
    (map { ['two-dns', '', $_, '401 certificate_nameless'] } '/', '/cn', '/dns'),
    ['two-dns', '', '/cn-alone', 'two-dns'],
    (map { ['spiffe-two-uris', '', $_, '401 certificate_nameless'] } '/', '/cn', '/spiffe', '/dns'),
    (map { ['ca-leaf', '', $_, '401 certificate_nameless'] } '/', '/cn', '/spiffe'),
    (map { ['none', '', $_, '401 certificate_missing'] } '/', '/cn'),
    (map { [$_, '', '/', '400'] } 'foreign', 'expired', 'server'),
    ['spiffe', 'lax', '/', $ID], ['foreign', 'lax', '/', '401 certificate_unverified'],
    ['none', 'lax', '/', '401 certificate_missing'],
    ['expired', 'lax', '/', '400'],
    ['spiffe', 'pardoned', '/', $ID],
    (map { [$_, 'pardoned', '/', '401 certificate_unverified'] } 'foreign', 'expired', 'server'),
    ['spiffe', 'strict', '/', $ID], ['none', 'strict', '/', '400'], ['foreign', 'strict', '/', '400'],
    ['spiffe', '', '/claim', '403 claim_refused'],
) {
    my ($name, $port, $target, $expected) = @$row;
    my $response = $server->request('GET', $target, port => $port || 'tls', tls => tls($name),
        headers => ['X-Mesh-Service: forged', 'X-Mesh-Spiffe-Id: forged', bearer()]);
    my $what = join ' ', $name, $port, $target;
    if ($expected =~ /\A(\d+) ?(.*)/) {
        my ($status, $reason) = ($1, $2);
        is $response->{status}, $status, "$what is refused";
        is $response->{headers}{reason} // '', $reason, "... by $expected";
        ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
        # There is no token to ask for.
        is $response->{headers}{'www-authenticate'}, undef, '... without a challenge';
        next;
    }
    is $response->{status}, 200, "$what is admitted";
    is_deeply [$response->{body} =~ /^(X-Mesh-\S+: .*)\r$/mg], [
        "X-Mesh-Service: $expected", "X-Mesh-Principal: $expected",
        $expected =~ /^spiffe:/ ? "X-Mesh-Spiffe-Id: $expected" : (), 'X-Mesh-Method: certificate',
    ], "... as $expected";
    like $response->{body}, qr/^Authorization: Bearer /m, '... and what was not verified is left alone';
}

my $domain = $server->get_as('spiffe', '/domain');
is $domain->{headers}{'x-domain'}, 'prod.example', 'a SPIFFE ID has a trust domain';
is $server->get_as('dns', '/domain')->{headers}{'x-domain'}, undef,
    '... a DNS name has none';

my $client = $server->connect(port => 'tls', tls => tls('spiffe'));
my @services = map { arrived($client->request('GET', '/'), 'X-Mesh-Service') } 1 .. 50;
is_deeply \@services, [($ID) x 50], 'fifty requests of a connection have one identity';
is $client->request('GET', '/dns')->{status}, 401, '... each by the settings of its location';
is $client->request('GET', '/')->{status}, 200, '... and a refusal does not last';
$client->close;

is_deeply [map { $server->get_as($_, '/limited')->{status} }
    qw(spiffe dns spiffe dns spiffe dns)], [(200) x 4, (429) x 2], 'a limit counts by name, over connections';

# One request over TLS of that version; the session is kept in a file, or taken from it.
sub resume ($name, $version, $session) {
    my @arguments = (
        qw(s_client -quiet -ign_eof -servername localhost -connect), '127.0.0.1:' . $server->port('tls'),
        '-CAfile', key_path('ca.pem'), '-cert', key_path("$name.pem"), '-key', key_path("$name.key"),
        "-$version", "-$session", $server->root . "/$name-$version",
    );
    my $answer = $server->root . '/answer';
    open my $in, '|-', "openssl @arguments >$answer 2>/dev/null" or die "openssl: $!\n";
    print {$in} "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    close $in;
    return slurp($answer);
}

# Nginx keeps the certificate in the session's ticket.
for my $version ('tls1_2', 'tls1_3') {
    for my $row (['spiffe', 200, [$ID]], ['two-dns', 401, []]) {
        my ($name, $status, $services) = @$row;
        for my $session ('sess_out', 'sess_in') {
            my $text = resume($name, $version, $session);
            like $text, qr{\AHTTP/1\.1 $status }, "$name over $version, $session: $status";
            my ($reused) = fields($text, 'X-Reused');
            is $reused, $session eq 'sess_in' ? 'r' : '.', '... by a session that is new or is not';
            is_deeply [fields($text, 'X-Mesh-Service')], $services, '... with its identity, or none';
        }
    }
}

like $server->error_log, qr/mesh refuses, reason: certificate_nameless/, 'a refusal is logged';
unlike $server->error_log, qr/BEGIN CERTIFICATE|MII[A-Za-z0-9+]/, '... without the certificate';

$server->stop;
done_testing;
