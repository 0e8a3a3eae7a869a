# The identity goes upstream in X-Mesh-* headers: what is verified, in a form that is safe.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Forge;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    service_claim /azp;
    groups_claim /realm/groups;
}
mesh_issuer plain { issuer https://plain.example; audience mesh; jwks %%KEYS%%/idp.jwks; }
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate any;
    mesh_certificate_name spiffe dns cn;
    location / { proxy_pass %%UPSTREAM%%; }
    location /off/ {
        mesh_export off;
        proxy_pass %%UPSTREAM%%;
        location /off/headers { mesh_export headers; proxy_pass %%UPSTREAM%%; }
        location /off/inner { proxy_pass %%UPSTREAM%%; }
    }
    location /open { mesh_authenticate off; proxy_pass %%UPSTREAM%%; }
    location /dry { mesh_dry_run all; proxy_pass %%UPSTREAM%%; }
    location /override { proxy_set_header X-Mesh-Service operator; proxy_pass %%UPSTREAM%%; }
}
CONF

# What arrived under our names, in the order it came.
sub exported ($target, %options) {
    my $tls = tls(delete $options{certificate});
    my $response = $server->request('GET', $target, port => 'tls', tls => $tls, %options);
    return ["status $response->{status}"] if !$response->{headers}{'x-upstream'};
    return [$response->{body} =~ /^(x-mesh-[^:]*: ?.*)\r$/mig];
}

sub with_claims (%claims) {
    return exported('/', headers => ['Authorization: Bearer ' . forged(claims => { azp => 'etl', %claims })]);
}

is_deeply with_claims(sub => 'robot@etl', realm => { groups => ['data-eng', 'admins'] }), [
    'X-Mesh-Service: etl', 'X-Mesh-Principal: robot@etl', 'X-Mesh-Issuer: idp', 'X-Mesh-Method: token',
    'X-Mesh-Groups: ["data-eng","admins"]',
], 'all that a token says, and nothing that it does not';

is_deeply exported('/', headers => [bearer(issuer => 'https://plain.example')]), [
    'X-Mesh-Service: orders-api', 'X-Mesh-Principal: orders-api', 'X-Mesh-Issuer: plain', 'X-Mesh-Method: token',
], 'an issuer without groups sends none';

is_deeply exported('/', headers => ['Authorization: Bearer ' . forged(payload => json({
    iss => 'https://idp.example', aud => 'mesh', azp => 'etl', exp => time + 60 }))]), [
    'X-Mesh-Service: etl', 'X-Mesh-Principal: etl', 'X-Mesh-Issuer: idp', 'X-Mesh-Method: token',
], 'without sub, the service is the principal';

my $spiffe = 'spiffe://prod.example/ns/shop/sa/orders-api';
is_deeply exported('/', certificate => 'spiffe'), [
    "X-Mesh-Service: $spiffe", "X-Mesh-Principal: $spiffe", "X-Mesh-Spiffe-Id: $spiffe", 'X-Mesh-Method: certificate',
], 'a certificate with a SPIFFE ID';
is_deeply exported('/', certificate => 'dns'), [
    'X-Mesh-Service: orders.example', 'X-Mesh-Principal: orders.example', 'X-Mesh-Method: certificate',
], 'one with a DNS name';
is_deeply exported('/', certificate => 'cn-only'), [
    'X-Mesh-Service: cn-only', 'X-Mesh-Principal: cn-only', 'X-Mesh-Method: certificate',
], 'one with a common name, where that counts';
is_deeply exported('/', certificate => 'spiffe', headers => [bearer(issuer => 'https://plain.example')]), [
    'X-Mesh-Service: orders-api', 'X-Mesh-Principal: orders-api', 'X-Mesh-Issuer: plain',
    "X-Mesh-Spiffe-Id: $spiffe", 'X-Mesh-Method: token certificate',
], 'the principal is that of the token, and the certificate stays visible';

subtest 'encoding' => sub {
    my @names = (
        ['a b', 'a b'], [' a ', '%20a%20'], ["a\r\nX-Mesh-Service: admin", 'a%0D%0AX-Mesh-Service: admin'],
        ["\0\x7f", '%00%7F'], ["Z\x{fc}rich", 'Z%C3%BCrich'], ['100%', '100%25'], ['a,b;c="d"', 'a,b;c="d"'],
        ["\x{202e}nimda", '%E2%80%AEnimda'],
    );
    for (@names) {
        my ($name, $encoded) = @$_;
        is_deeply with_claims(azp => $name, sub => $name), [
            "X-Mesh-Service: $encoded", "X-Mesh-Principal: $encoded", 'X-Mesh-Issuer: idp', 'X-Mesh-Method: token',
        ], "a name: $encoded";
    }
    my @groups = (
        ['one', '["one"]'], [[], '[]'], [['a,b', 'c"d', 'e\\f'], '["a,b","c\\"d","e\\\\f"]'], [[''], '[""]'],
        [["Z\x{fc}rich", "\x{1F600}"], '["Z\u00fcrich","\ud83d\ude00"]'], [["a\r\nb", "\0", "\x7f"], '["a\u000d\u000ab","\u0000","\u007f"]'],
    );
    for (@groups) {
        my ($groups, $encoded) = @$_;
        my ($header) = grep { /^X-Mesh-Groups/ } with_claims(realm => { groups => $groups })->@*;
        is $header, "X-Mesh-Groups: $encoded", "groups: $encoded";
        my $read = JSON::PP->new->decode($header =~ s/^[^:]*: //r);
        is_deeply $read, ref $groups ? $groups : [$groups], '... which read back';
    }
    for (['an object', {}], ['a number', 7], ['null', JSON::PP::null()], ['a list with something else', ['a', 7]],
        ['a list in a list', [['a']]]) {
        my ($name, $groups) = @$_;
        is scalar(grep { /groups/i } with_claims(realm => { groups => $groups })->@*), 0, "groups as $name are not known";
    }
};

subtest 'what is not sent' => sub {
    my $header = bearer(issuer => 'https://plain.example');
    is_deeply exported('/off/', headers => [$header]), [], 'nothing with off';
    is_deeply exported('/off/inner', headers => [$header]), [], '... also where that is inherited';
    is scalar exported('/off/headers', headers => [$header])->@*, 4, '... until headers are asked for';
    is_deeply exported('/open', headers => [$header]), [], 'nothing where nobody is authenticated';
    is_deeply exported('/dry', headers => [bearer(issuer => 'https://plain.example', expires => '-1h')]), [],
        'nothing of a bad credential that a dry run let pass';
    is_deeply exported('/dry'), [], 'nor of none';
    is scalar exported('/dry', headers => [$header])->@*, 4, 'but of a good one';
    my @forged = map { "$_: forged" } qw(X-Mesh-Service x-mesh-principal X-Mesh-Groups X-Mesh-Spiffe-Id X-Mesh-Anything X_Mesh_Service);
    is_deeply exported($_, headers => \@forged), [], "nothing forged at $_" for '/open', '/dry';
    is_deeply exported($_, headers => [$header, @forged]), [], "nor at $_ beside a token" for '/off/', '/open';
    my $sent = exported('/', headers => [@forged, $header]);
    is_deeply [grep { /forged/ } @$sent], [], 'nor beside what is true';
    is scalar @$sent, 4, '... which is there once';
};

# What the operator writes is the operator's own.
is_deeply [grep { /service/i } exported('/override', headers => [bearer(issuer => 'https://plain.example')])->@*],
    ['X-Mesh-Service: operator'], 'proxy_set_header comes last';

$server->stop;
$upstream->stop;

done_testing;
