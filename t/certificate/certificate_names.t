# Which name of a certificate is the identity, for the certificates that platforms really make.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
mesh_authenticate certificate;
mesh_certificate_name dns=*.svc.cluster.local;
map "$mesh_principal_kind:$mesh_principal" $tier {
    default none;
    dns:orders.example gold;
    cn:orders.example silver;
}
add_header Reason $mesh_reason always;
add_header X-Kind $mesh_principal_kind;
add_header X-Tier $tier;
add_header X-Subject $mesh_certificate_subject;
add_header X-Email $mesh_certificate_email;
add_header X-Ip $mesh_certificate_ip;
add_header X-Upn $mesh_certificate_upn;
server {
    %%TLS%%
    ssl_verify_client optional;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /svc { mesh_certificate_name dns=*.SVC; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /shop { mesh_certificate_name cn dns=*.shop*; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /cn { mesh_certificate_name cn; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /spiffe-cn { mesh_certificate_name spiffe cn; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /all { mesh_certificate_name cn dns spiffe; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /limited {
        mesh_certificate_name dns cn;
        mesh_limit calls rate=1r/d;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
}
CONF

my $SPIFFE = 'spiffe://prod.example/ns/shop/sa/orders-api';

# A certificate, where to, and its kind and name, or what is refused.
for my $row (
    ['workload', '/', 'dns orders.shop.svc.cluster.local'],
    ['workload', '/svc', 'dns orders.shop.svc'],
    ['workload', '/shop', '401 certificate_nameless'],
    ['workload', '/cn', '401 certificate_nameless'],
    ['workload', '/all', '401 certificate_nameless'],
    ['kubelet', '/', '401 certificate_nameless'],
    ['kubelet', '/cn', 'cn system:node:node-1'],
    ['kubelet', '/spiffe-cn', 'cn system:node:node-1'],
    ['kubelet', '/all', '401 certificate_nameless'],
    ['cn-only', '/', '401 certificate_nameless'],
    ['cn-only', '/shop', 'cn cn-only'],
    ['cn-only', '/cn', 'cn cn-only'],
    ['two-dns', '/cn', 'cn two-dns'],
    ['svid-dns', '/', '401 certificate_nameless'],
    ['svid-dns', '/cn', '401 certificate_nameless'],
    ['svid-dns', '/spiffe-cn', "spiffe $SPIFFE"],
    ['svid-dns', '/all', "spiffe $SPIFFE"],
    ['person', '/cn', 'cn person'],
    ['bmp', '/cn', 'cn B%C3%BCcher'],
    ['teletex', '/cn', '401 certificate_malformed'],
    ['teletex', '/', '401 certificate_nameless'],
) {
    my ($name, $target, $expected) = @$row;
    my $response = $server->get_as($name, $target);
    if ($expected =~ /\A(\d+) (.*)/) {
        is $response->{status}, $1, "$name at $target is refused";
        is $response->{headers}{reason}, $2, "... by $expected";
        next;
    }
    my ($kind, $principal) = split / /, $expected;
    is $response->{status}, 200, "$name at $target is admitted";
    is $response->{headers}{'x-kind'}, $kind, "... by its $kind";
    is_deeply [$response->{body} =~ /^X-Mesh-Principal: (.*)\r$/mg], [$principal], "... as $principal";
}

my $client = $server->connect(port => 'tls', tls => tls('workload'));
for my $target ('/', '/svc', '/cn', '/', '/svc') {
    my $expected = { '/' => 'orders.shop.svc.cluster.local', '/svc' => 'orders.shop.svc' }->{$target};
    is_deeply [$client->request('GET', $target)->{body} =~ /^X-Mesh-Service: (.*)\r$/mg],
        [$expected // ()], "on one connection, $target exports the name of its own pattern";
}
$client->close;

is_deeply [map { $server->get_as($_, '/limited')->{status} } qw(dns dns-as-cn dns dns-as-cn)], [200, 200, 429, 429],
    'a common name and a DNS name of one text have a bucket each';
is_deeply [map { $server->get_as($_, '/all')->{headers}{'x-tier'} } qw(dns dns-as-cn svid-dns)], [qw(gold silver none)],
    '... and a map keeps them apart';

my $person = $server->get_as('person', '/cn')->{headers};
is_deeply [@$person{qw(x-subject x-email x-upn)}],
    ['CN=person', '["ann@shop.example","a@b.example"]', '["ann@ad.example"]'],
    'what else a certificate says is in variables';
is $server->get_as('kubelet', '/cn')->{headers}{'x-subject'}, 'CN=system:node:node-1,O=system:nodes', '... its whole subject';
is $server->get_as('kubelet', '/cn')->{headers}{'x-ip'}, '["10.0.0.1","2001:db8::1"]', '... and its addresses';
is $server->get_as('workload', '/')->{headers}{'x-subject'}, undef, '... but no empty subject';

for my $row (
    ['workload', '/shop', '2 of 4 DNS names of the certificate match, not one (mesh_certificate_name dns=*.shop* cn)'],
    ['kubelet', '/', '0 of 2 DNS names of the certificate match, not one (mesh_certificate_name dns=*.svc.cluster.local)'],
    ['svid-dns', '/cn', 'certificate has no name of an accepted kind, only: spiffe (mesh_certificate_name cn)'],
    ['spiffe-two-uris', '/', 'certificate has another URI beside its SPIFFE ID'],
) {
    my ($name, $target, $why) = @$row;
    is $server->get_as($name, $target)->{status}, 401, "$name at $target is refused";
    like +($server->error_log =~ /.*mesh refuses, .*/g)[-1], qr/reason: certificate_nameless, \Q$why\E, client: /,
        '... and the log says by which rule';
}

$server->stop;
$upstream->stop;
done_testing;
