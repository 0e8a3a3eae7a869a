# With `mesh_authenticate any` one credential is enough, and all that are presented must verify;
# with `token certificate` both are needed.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional_no_ca;
    add_header Reason $mesh_reason always;
    mesh_accept idp;
    location /any { mesh_authenticate any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any-claim {
        mesh_authenticate any;
        mesh_require_claim /team data;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /both { mesh_authenticate token certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /token { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /certificate { mesh_authenticate certificate; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my $ID = 'spiffe://prod.example/ns/shop/sa/orders-api';
my %token = (
    none => [],
    good => [bearer(subject => 'etl')],
    expired => [bearer(expires => '-1h')],
    foreign => [bearer(key => 'other')],
    malformed => ['Authorization: Bearer x'],
    basic => ['Authorization: Basic YTph'],
    twice => [bearer(), bearer(subject => 'etl')],
);
my %AS_TOKEN = (service => 'etl', principal => 'etl', issuer => 'idp', method => 'token');
my %AS_CERTIFICATE = (service => $ID, principal => $ID, 'spiffe-id' => $ID, method => 'certificate');
my %AS_BOTH = (%AS_TOKEN, 'spiffe-id' => $ID, method => 'token certificate');

# Where to, with which certificate (plain is no TLS) and which token; how it arrives, or why not.
for my $row (
    ['/any', 'plain', 'good', \%AS_TOKEN],
    ['/any', 'plain', 'none', '401 credential_missing'],
    ['/any', 'none', 'good', \%AS_TOKEN],
    ['/any', 'none', 'none', '401 credential_missing'],
    ['/any', 'none', 'basic', '401 credential_missing'],
    ['/any', 'spiffe', 'none', \%AS_CERTIFICATE],
    ['/any', 'spiffe', 'basic', \%AS_CERTIFICATE],
    ['/any', 'spiffe', 'good', \%AS_BOTH],
    ['/any', 'spiffe', 'expired', '401 token_expired'],
    ['/any', 'spiffe', 'foreign', '401 issuer_refused'],
    ['/any', 'spiffe', 'malformed', '401 token_malformed'],
    ['/any', 'spiffe', 'twice', 400],
    ['/any', 'foreign', 'good', '401 certificate_unverified'],
    ['/any', 'foreign', 'none', '401 certificate_unverified'],
    ['/any', 'two-dns', 'good', '401 certificate_nameless'],
    ['/any', 'two-dns', 'none', '401 certificate_nameless'],
    ['/any', 'ca-leaf', 'good', '401 certificate_nameless'],
    ['/any', 'cn-only', 'good', '401 certificate_nameless'],
    ['/any', 'foreign', 'expired', '401 token_expired'],
    ['/any-claim', 'spiffe', 'none', '403 claim_refused'],
    ['/both', 'spiffe', 'good', \%AS_BOTH],
    ['/both', 'spiffe', 'none', '401 credential_missing'],
    ['/both', 'spiffe', 'expired', '401 token_expired'],
    ['/both', 'none', 'good', '401 certificate_missing'],
    ['/both', 'plain', 'good', '401 certificate_missing'],
    ['/both', 'none', 'none', '401 credential_missing'],
    ['/both', 'foreign', 'good', '401 certificate_unverified'],
    ['/both', 'two-dns', 'good', '401 certificate_nameless'],
    # What a location does not name is neither read nor believed.
    ['/token', 'spiffe', 'none', '401 credential_missing'],
    ['/token', 'spiffe', 'good', \%AS_TOKEN],
    ['/token', 'foreign', 'good', \%AS_TOKEN],
    ['/certificate', 'spiffe', 'good', \%AS_CERTIFICATE],
    ['/certificate', 'spiffe', 'expired', \%AS_CERTIFICATE],
    ['/certificate', 'plain', 'good', '401 certificate_missing'],
) {
    my ($target, $certificate, $token, $expected) = @$row;
    my %tls = $certificate eq 'plain' ? () : (port => 'tls', tls => tls($certificate));
    my $response = $server->request('GET', $target, %tls,
        headers => [$token{$token}->@*, 'X-Mesh-Spiffe-Id: forged']);
    my $what = "$target, certificate: $certificate, token: $token";
    if (ref $expected) {
        is $response->{status}, 200, "$what is admitted";
        my %arrived = map { lc } $response->{body} =~ /^X-Mesh-(\S+): (.*)\r$/mg;
        is_deeply \%arrived, $expected, '... as who it is';
        my $is_token = $expected->{issuer} || $token eq 'none' ? 0 : 1;
        is scalar(() = $response->{body} =~ /^Authorization:/mg), $is_token, '... and a verified token stays here';
        next;
    }
    my ($status, $reason) = split / /, $expected;
    is $response->{status}, $status, "$what is refused";
    is $response->{headers}{reason}, $reason, '... for that reason';
    ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
    like $response->{headers}{'www-authenticate'}, qr/\ABearer /, '... with a challenge'
        if $reason && $status == 401 && $target ne '/certificate';
}

$server->stop;
done_testing;
