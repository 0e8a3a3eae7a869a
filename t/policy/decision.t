# mesh_platform names what a request asks for, and mesh_policy says who may do it.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services:
  orders: [ { issuer: idp, service: orders-api } ]
  nightly: [ { issuer: idp, service: nightly } ]
roles:
  producer: [ { kafka: { topics: ["orders.*", orders], actions: [produce, describe] } } ]
  runner: [ { databricks: { jobs: ["42"], actions: [run, read] } } ]
bindings:
  - { name: orders-binding, role: producer, services: [orders] }
  - { name: office, role: producer, services: [nightly], addresses: [10.0.0.0/8] }
  - { name: ops, role: runner, groups: [idp/ops] }
  - { name: mfa, role: runner, services: [nightly], claims: { /amr: [mfa] } }
deny:
  - { name: pii, kafka: { topics: ["orders.pii"] } }
POLICY

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%DIR%%/policy.yaml;
log_format decisions '$request_method $uri $mesh_decision $mesh_rule $mesh_reason '
    '$mesh_platform $mesh_operation $mesh_action $mesh_resource';
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_platform kafka_rest cluster=C1;
    access_log %%ROOT%%/logs/decisions.log decisions;
    location / {
        proxy_pass %%UPSTREAM%%;
    }
    location /api/ {
        mesh_platform databricks;
        proxy_pass %%UPSTREAM%%;
    }
    location /.well-known/ {
        mesh_platform databricks;
        proxy_pass %%UPSTREAM%%;
    }
    location /behind/ {
        mesh_platform kafka_rest prefix=/behind;
        proxy_pass %%UPSTREAM%%;
    }
    location /dry/ {
        mesh_platform kafka_rest prefix=/dry/;
        mesh_dry_run policy;
        proxy_pass %%UPSTREAM%%;
    }
    location = /status {
        mesh_authenticate off;
        mesh_status;
    }
}
CONF

sub post ($target, $token, @headers) {
    return $server->request('POST', $target, headers => [bearer_of($token), @headers],
        body => '{"records":[]}');
}

sub reaches_upstream ($response) { return defined $response->{headers}{'x-upstream'} }

my $orders = token();
my $json = 'Content-Type: application/vnd.kafka.json.v2+json';

subtest 'what a binding holds goes upstream, with the identity and without the credential' => sub {
    my $response = post('/topics/orders.eu', $orders, $json);
    is $response->{status}, 200;
    like $response->{body}, qr/^POST \/topics\/orders\.eu HTTP/;
    like $response->{body}, qr/^X-Mesh-Service: orders-api\r$/m;
    unlike $response->{body}, qr/Authorization/i;
};

subtest 'what no binding holds is refused by the rule default' => sub {
    my $response = post('/topics/payments', $orders, $json);
    is $response->{status}, 403;
    ok !reaches_upstream($response);
    $server->await_log(qr/reason: policy_denied, rule: "default", service: "orders-api", operation: "api.v2.produce-to-topic", action: "topic:produce", resource: "payments", reference: "[0-9a-f]{32}"/);
    pass 'the log says who was refused what';
};

subtest 'a denial wins over the binding' => sub {
    is post('/topics/orders.pii', $orders, $json)->{status}, 403;
    $server->await_log(qr/rule: "pii"/);
    pass;
};

subtest 'what the table does not know, or refuses, is refused to everybody' => sub {
    is $server->get('/topics/orders/more/parts', bearer_of($orders))->{status}, 403;
    $server->await_log(qr/reason: operation_unknown/);
    is post('/topics/orders', $orders, 'Content-Type: application/vnd.kafka.json.v1+json')->{status}, 403;
    $server->await_log(qr/reason: operation_refused, version 1/);
    is $server->get('/v3/clusters/C2/topics/orders', bearer_of($orders))->{status}, 403;
    is $server->get('/v3/clusters/C1/topics/orders', bearer_of($orders))->{status}, 200;
    is $server->get('/topics/a%2e%2e', bearer_of($orders))->{status}, 400;
    $server->await_log(qr/reason: request_ambiguous/);
    is $server->get('/topics/a%20b', bearer_of($orders))->{status}, 400;
    $server->await_log(qr/reason: name_malformed/);
    pass;
};

subtest 'a request without a credential is 401, whatever it asks for' => sub {
    is $server->get('/topics/orders')->{status}, 401;
    is $server->get('/no/such/thing')->{status}, 401;
};

subtest 'conditions on address, group and claim' => sub {
    is post('/topics/orders', token(subject => 'nightly'), $json)->{status}, 403, 'another address';
    my $run = sub ($token) {
        $server->request('POST', '/api/2.1/jobs/run-now', body => '{"job_id":42}',
            headers => [bearer_of($token), 'Content-Type: application/json']);
    };
    is $run->(token(subject => 'x', claims => { groups => ['ops'] }))->{status}, 200, 'a member';
    is $run->(token(subject => 'x', claims => { groups => ['dev'] }))->{status}, 403, 'no member';
    is $run->(token(subject => 'x'))->{status}, 403, 'groups unknown';
    is $run->(token(subject => 'nightly', claims => { amr => ['mfa'] }))->{status}, 200, 'a claim';
    is $run->(token(subject => 'nightly', claims => { amr => ['pwd'] }))->{status}, 403, 'another value';
};

subtest 'a probe needs no credential, and its own goes upstream' => sub {
    my $response = $server->get('/.well-known/databricks-config', 'Authorization: Bearer its-own');
    is $response->{status}, 200;
    like $response->{body}, qr/^Authorization: Bearer its-own\r$/m;
    unlike $response->{body}, qr/X-Mesh/i;
};

subtest 'fields that choose an identity or a method do not go upstream' => sub {
    my $response = post('/topics/orders', $orders, $json, 'Confluent-Identity-Pool-Id: p',
        'Target_SR_Cluster: c', 'X-HTTP-Method-Override: DELETE', 'X-Other: stays', 'Upgrade: h2c');
    is $response->{status}, 200;
    unlike $response->{body}, qr/identity-pool|sr.cluster|override|upgrade/i;
    like $response->{body}, qr/^X-Other: stays\r$/m;
};

subtest 'a prefix is no part of the platform' => sub {
    is post('/behind/topics/orders', $orders, $json)->{status}, 200;
    is post('/behind/topics/payments', $orders, $json)->{status}, 403;
};

subtest 'a dry run of the policy lets pass what it would refuse, and no bad token' => sub {
    my $response = post('/dry/topics/payments', $orders, $json);
    is $response->{status}, 200;
    like $response->{body}, qr/^X-Mesh-Service: orders-api\r$/m;
    $server->await_log(qr/mesh refuses \(dry run\), reason: policy_denied, rule: "default"/);
    is $server->get('/dry/no/such', bearer_of($orders))->{status}, 200, 'an unknown operation';
    is $server->get('/dry/topics/payments')->{status}, 401;
    is post('/dry/topics/orders', $orders, $json)->{status}, 200;
};

subtest 'variables show the decision' => sub {
    my $log = slurp($server->root . '/logs/decisions.log');
    like $log, qr{^POST /topics/orders\.eu allowed orders-binding - kafka api\.v2\.produce-to-topic topic:produce orders\.eu$}m;
    like $log, qr{^POST /topics/orders\.pii refused pii policy_denied kafka \S+ topic:produce orders\.pii$}m;
    like $log, qr{^POST /topics/payments refused default policy_denied}m;
    like $log, qr{^POST /dry/topics/payments dry_run dry-run policy_denied kafka}m;
    like $log, qr{^GET /\.well-known/databricks-config allowed probe - databricks - - -$}m;
};

$server->stop;
done_testing;
