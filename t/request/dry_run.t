# mesh_dry_run notes what would be refused, refuses nothing that it covers, and vouches for nobody.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr);
include %%KEYS%%/issuers.conf;
mesh_authenticate token;
mesh_require_claim /admin true;
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional_no_ca;
    add_header Reason $mesh_reason always;
    add_header Decision $mesh_decision always;
    add_header Rule $mesh_rule always;
    location /enforced { mesh_limit enforced rate=1r/h; proxy_pass %%UPSTREAM%%; }
    location /limit { mesh_limit of-limit rate=1r/h; mesh_dry_run limit; proxy_pass %%UPSTREAM%%; }
    location /all { mesh_limit of-all rate=1r/h; mesh_dry_run all; proxy_pass %%UPSTREAM%%; }
    location /any { mesh_authenticate any; mesh_dry_run all; proxy_pass %%UPSTREAM%%; }
    location /deny { mesh_dry_run all; deny all; proxy_pass %%UPSTREAM%%; }
    location /satisfy { mesh_dry_run all; satisfy any; deny all; proxy_pass %%UPSTREAM%%; }
    location /outer/ {
        mesh_dry_run all;
        proxy_pass %%UPSTREAM%%;
        location /outer/inner { proxy_pass %%UPSTREAM%%; }
        location /outer/off { mesh_dry_run off; proxy_pass %%UPSTREAM%%; }
    }
}
CONF

# Verdict, decision, rule and the identity that arrived.
sub decision_and_service ($response) {
    my ($service) = arrived($response, 'X-Mesh-Service');
    return join ' | ', verdict($response), map { $_ // '-' } @{ $response->{headers} }{qw(decision rule)}, $service;
}

my $true = JSON::PP::true();
sub admin ($name) { return bearer(subject => $name, claims => { admin => $true }) }

my %sent = (
    'nothing' => [],
    'a bad token' => ['Authorization: Bearer x.y.z'],
    'an expired token' => [bearer(expires => '-1h', claims => { admin => $true })],
    'a token of others' => [bearer(key => 'other', issuer => 'https://idp.example', claims => { admin => $true })],
    'a token without the claim' => [bearer()],
);
my %reason = (
    'nothing' => '401 credential_missing', 'a bad token' => '401 token_malformed',
    'an expired token' => '401 token_expired', 'a token of others' => '401 unknown_key',
    'a token without the claim' => '403 claim_refused',
);
for my $name (sort keys %sent) {
    my @headers = $sent{$name}->@*;
    my ($word) = $reason{$name} =~ /(\w+)\z/;
    my $known = $word eq 'claim_refused' ? 'orders-api' : '-';
    is decision_and_service($server->get('/enforced', @headers)), "$reason{$name} | refused | - | -", "off: $name";
    is decision_and_service($server->get('/limit', @headers)), "$reason{$name} | refused | - | -", "limit: $name is refused all the same";
    is decision_and_service($server->get($_, @headers)), "200 $word | dry_run | dry-run | $known", "all, at $_: $name"
        for '/all', '/outer/', '/outer/inner';
    is decision_and_service($server->get('/outer/off', @headers)), "$reason{$name} | refused | - | -", "off within: $name";
    is $server->get('/deny', @headers)->{status}, 403, "others still refuse $name";
    is $server->get('/satisfy', @headers)->{status}, $known eq '-' ? 403 : 200,
        "... also where one of all is enough, unless it is verified: $name";
}

subtest 'limits' => sub {
    my $times = sub ($target) { [map { decision_and_service($server->get($target, admin('etl'))) } 1 .. 3] };
    my $allowed = '200 | allowed | no-policy | etl';
    is_deeply $times->('/enforced'), [$allowed, ('429 limited | refused | - | -') x 2], 'off';
    is_deeply $times->('/limit'), [$allowed, ('200 limited | dry_run | dry-run | etl') x 2], 'limit';
    is_deeply $times->('/all'), [$allowed, ('200 limited | dry_run | dry-run | etl') x 2], 'all';
    is_deeply [map { decision_and_service($server->get($_, admin('new'))) } '/limit', '/all'], [($allowed =~ s/etl/new/r) x 2],
        'who is not at the limit is allowed as ever';
};

subtest 'certificates' => sub {
    my $get = sub ($name) {
        return decision_and_service($server->get_as($name, '/any'));
    };
    my $spiffe = 'spiffe://prod.example/ns/shop/sa/orders-api';
    is $get->('spiffe'), "200 claim_refused | dry_run | dry-run | $spiffe", 'a good one is exported';
    is $get->('foreign'), '200 certificate_unverified | dry_run | dry-run | -', 'one of others is not';
};

subtest 'a client hears nothing of it' => sub {
    for my $name (sort keys %sent) {
        my $headers = $server->get('/all', $sent{$name}->@*)->{headers};
        is_deeply [grep { defined } @$headers{qw(www-authenticate retry-after ratelimit ratelimit-policy)}], [], $name;
    }
};

my $log = $server->error_log;
like $log, qr/ mesh refuses \(dry run\), reason: $_\b/, "the log notes $_"
    for qw(credential_missing token_malformed token_expired unknown_key claim_refused limited certificate_unverified);
like $log, qr/ mesh refuses \(dry run\), reason: limited, limit: "of-all", service: "etl"/, '... and whom';
unlike $log, qr/\(dry run\).*"GET \/enforced/, 'but nothing that is enforced';

$server->stop;
$upstream->stop;

done_testing;
