# mesh_require_claim lets through whose claims hold, and refuses the others with 403.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Forge;
use Test::Mesh::Response;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    add_header Reason $mesh_reason always;
    add_header Service $mesh_service always;
    mesh_authenticate any;
    mesh_require_claim /team payments;

    location /inherited { empty_gif; }
    location /off { mesh_require_claim off; empty_gif; }
    location /values { mesh_require_claim /team payments orders "two words" ""; empty_gif; }
    location /deep { mesh_require_claim /realm_access/roles admin; empty_gif; }
    location /index { mesh_require_claim /roles/1 admin; empty_gif; }
    location /escaped { mesh_require_claim /https:~1~1a.example~1r~0s x; empty_gif; }
    location /all {
        mesh_require_claim /team payments;
        mesh_require_claim /scope write;
        empty_gif;
    }
    location /scope { mesh_require_claim /scope read write; empty_gif; }
    location /scp {
        mesh_require_claim /scp read;
        mesh_require_claim /scp write;
        empty_gif;
    }
    location /nested { mesh_require_claim /token/scope read; empty_gif; }
    location /same {
        mesh_require_claim /roles reader;
        mesh_require_claim /roles writer;
        empty_gif;
    }
    location /number { mesh_require_claim /level 3; empty_gif; }
    location /boolean { mesh_require_claim /verified true; empty_gif; }
    location /utf8 { mesh_require_claim /team Zürich; empty_gif; }
    location /either { mesh_require_claim /scp|/roles read; empty_gif; }
    location /never { mesh_require_claim /groups !guests; empty_gif; }
    location /mixed { mesh_require_claim /groups eng ops !guests; empty_gif; }
    location /bar { mesh_require_claim /a~2/b x; empty_gif; }
    location /only { mesh_require_claim /g|h x; empty_gif; }
    location /mark { mesh_require_claim /team \!x; empty_gif; }
    location /big { mesh_require_claim /acct 340282366920938463463374607431768211455; empty_gif; }
    location /float { mesh_require_claim /acct 1.5e9; empty_gif; }
    location /registered { mesh_require_claim /sub orders-api; empty_gif; }
}
CONF

my $refused = '403 claim_refused';
my @table = (
    ['/inherited', { team => 'payments' }, 200],
    ['/inherited', { team => 'orders' }, $refused],
    ['/inherited', {}, $refused],
    ['/inherited', { Team => 'payments' }, $refused],
    (map { ['/inherited', { team => $_ }, $refused] } 'Payments', 'payments ', 'paymentsx', 'payment', '',
        { payments => 1 }, { team => 'payments' }, JSON::PP::null(), JSON::PP::true(), 0, [],
        [['payments']], [{ a => 'payments' }], 'orders payments', "payments\0"),
    ['/inherited', { team => ['orders', 'payments'] }, 200],
    ['/inherited', { team => ['orders', 7, JSON::PP::null(), 'payments'] }, 200],
    ['/inherited', { team => ['orders'] }, $refused],
    ['/off', {}, 200],
    ['/values', { team => 'orders' }, 200],
    ['/values', { team => 'two words' }, 200],
    ['/values', { team => 'two' }, $refused],
    ['/values', { team => '' }, 200],
    ['/values', {}, $refused],
    ['/deep', { realm_access => { roles => ['user', 'admin'] } }, 200],
    ['/deep', { realm_access => { roles => ['user'] } }, $refused],
    ['/deep', { 'realm_access/roles' => 'admin' }, $refused],
    ['/deep', { roles => ['admin'] }, $refused],
    ['/index', { roles => ['user', 'admin'] }, 200],
    ['/index', { roles => ['admin', 'user'] }, $refused],
    ['/index', { roles => { 1 => 'admin' } }, 200],
    ['/escaped', { 'https://a.example/r~s' => 'x' }, 200],
    ['/escaped', { https => 'x' }, $refused],
    ['/all', { team => 'payments', scope => 'write' }, 200],
    ['/all', { team => 'payments' }, $refused],
    ['/all', { scope => 'write' }, $refused],
    (map { ['/scope', { scope => $_ }, 200] } 'read', 'write', 'openid read', 'read openid', 'a  read  b', ' read',
        ['openid', 'read']),
    (map { ['/scope', { scope => $_ }, $refused] } 'reader', 'bread', 'openid', 'read,write', "read\twrite", "read\n",
        'READ', '', ['read openid'], { read => 1 }),
    ['/scope', { scp => 'read' }, $refused],
    ['/scp', { scp => 'openid write read' }, 200],
    ['/scp', { scp => ['write', 'read'] }, 200],
    ['/scp', { scp => 'read' }, $refused],
    ['/scp', { scope => 'read write' }, $refused],
    ['/nested', { token => { scope => 'read' } }, 200],
    ['/nested', { token => { scope => 'read write' } }, $refused],
    ['/same', { roles => ['reader', 'writer'] }, 200],
    ['/same', { roles => ['reader'] }, $refused],
    ['/number', { level => 3 }, 200],
    ['/number', { level => '3' }, 200],
    ['/number', { level => 4 }, $refused],
    ['/number', { level => [3] }, 200],
    ['/boolean', { verified => JSON::PP::true() }, 200],
    ['/boolean', { verified => JSON::PP::false() }, $refused],
    ['/boolean', { verified => 1 }, $refused],
    ['/utf8', { team => "Z\x{fc}rich" }, 200],
    ['/utf8', { team => "Zu\x{308}rich" }, $refused],
    ['/registered', {}, 200],
    ['/either', { scp => 'openid read' }, 200],
    ['/either', { roles => ['read'] }, 200],
    ['/either', { scp => 'openid', roles => ['read'] }, 200],
    ['/either', { scp => 'openid', roles => ['write'] }, $refused],
    ['/either', { roles => 'openid read' }, $refused],
    ['/either', { scp => JSON::PP::null() }, $refused],
    ['/never', { groups => ['eng'] }, 200],
    ['/never', { groups => [] }, 200],
    (map { ['/never', $_, $refused] } {}, { groups => JSON::PP::null() }, { groups => 'guests' },
        { groups => ['eng', 'guests'] }, { groups => [['guests']] }, { groups => { guests => 1 } },
        { groups => ['eng'], hasgroups => JSON::PP::true() },
        { groups => ['eng'], _claim_names => { groups => 'src1' } }),
    ['/mixed', { groups => ['ops'] }, 200],
    ['/mixed', { groups => ['ops', 'guests'] }, $refused],
    ['/mixed', { groups => ['hr'] }, $refused],
    ['/bar', { 'a|' => { b => 'x' } }, 200],
    ['/bar', { a => 'x', b => 'x' }, $refused],
    ['/only', { 'g|h' => 'x' }, 200],
    ['/mark', { team => '!x' }, 200],
    ['/mark', { team => 'x' }, $refused],
);
for my $row (@table) {
    my ($target, $claims, $expected) = @$row;
    my $shown = json($claims) =~ s/([^ -~])/sprintf '\\x%02x', ord $1/gre;
    is verdict($server->get($target, 'Authorization: Bearer ' . forged(claims => $claims))), $expected,
        "$target for $shown";
}

for my $row (
    ['/big', '340282366920938463463374607431768211455', 200],
    ['/big', '[340282366920938463463374607431768211455]', 200],
    ['/big', '340282366920938463463374607431768211454', $refused],
    ['/big', '3.4028236692093846e38', $refused],
    ['/float', '1500000000', 200],
    ['/float', '15E8', 200],
    ['/float', '1500000000.25', $refused],
    ['/float', '"1.5e9"', 200],
    ['/float', '"1500000000"', $refused],
) {
    my ($target, $number, $expected) = @$row;
    my $payload = json({ iss => 'https://idp.example', aud => 'mesh', sub => 'orders-api', exp => time + 3600 });
    substr $payload, -1, 1, qq(,"acct":$number});
    is verdict($server->get($target, 'Authorization: Bearer ' . forged(payload => $payload))), $expected,
        "$target for $number";
}

my $response = $server->get('/inherited', bearer());
is $response->{headers}{'www-authenticate'},
    'Bearer realm="mesh", error="insufficient_scope",'
    . ' error_description="a claim that this location requires does not hold"', 'the challenge asks for more';
is $response->{headers}{service}, 'orders-api', 'who is refused is known';
like $server->error_log,
    qr/mesh refuses, reason: claim_refused, required: "\/team payments", claim: absent, service: "orders-api"/,
    '... to the log too, with what was asked for';
like $server->error_log, qr/required: "\/scp\|\/roles read", claim: other,/, '... of several claims';
like $server->error_log, qr/required: "\/groups !guests", claim: unknown,/, '... and that nobody knows';

for my $row (
    [{ nbf => 'soon' }, 'claim_malformed', 'claim: "nbf"'],
    [{ sub => 7 }, 'claim_malformed', 'claim: "sub"'],
    [{ aud => ["\x{e9}\n\""] }, 'audience_refused', 'audience wanted: "mesh"'],
) {
    my ($claims, $reason, $detail) = @$row;
    is verdict($server->get('/off', 'Authorization: Bearer ' . forged(claims => $claims))), "401 $reason", $reason;
    like $server->error_log, qr/mesh refuses, reason: $reason, \Q$detail\E/, '... the log names it';
}

subtest 'a certificate has no claims' => sub {
    my $request = sub (@headers) { return verdict($server->get_as('spiffe', '/inherited', @headers)) };
    is $request->(), $refused, 'alone it is refused';
    is $request->(bearer(claims => { team => 'payments' })), '200', 'beside a token with the claim it is not';
};

is verdict($server->get('/inherited')), '401 credential_missing', 'without a credential it is not 403';
is verdict($server->get('/inherited', bearer(expires => '-1h', claims => { team => 'payments' }))), '401 token_expired',
    '... nor with a bad one';

$server->stop;

done_testing;
