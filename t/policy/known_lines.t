# A line that a worker has named before means what it meant the first time, and is decided about anew.

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
roles:
  producer: [ { kafka: { topics: [orders], actions: [produce, describe] } } ]
  tried: [ { kafka: { topics: [tried], actions: [produce] } } ]
  reader: [ { databricks: { jobs: ["42"], files: ["/Volumes/a/b/c/x/y"], actions: [read] } } ]
bindings:
  - { name: orders, role: producer, services: [orders] }
  - { name: reads, role: reader, services: [orders] }
  - { name: tries, role: tried, services: [orders], dry_run: true }
deny:
  - { name: tested, kafka: { topics: [orders], actions: [describe] }, dry_run: true }
POLICY

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%DIR%%/policy.yaml;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    add_header Told "$mesh_decision $mesh_rule $mesh_reason $mesh_operation $mesh_action $mesh_resource" always;
    location / {
        mesh_platform kafka_rest;
        proxy_pass %%UPSTREAM%%;
    }
    location /api/ {
        mesh_platform databricks workspace=7;
        proxy_pass %%UPSTREAM%%;
    }
    location /behind/ {
        mesh_platform kafka_rest prefix=/behind;
        proxy_pass %%UPSTREAM%%/;
    }
    location /status {
        mesh_authenticate off;
        mesh_status;
    }
}
CONF

my $token = token();
my $other = token(subject => 'other-api');

# What is told of a request that is sent three times.
sub told ($method, $target, $token, @headers) {
    my @told = map {
        my $response = $server->request($method, $target, headers => [bearer_of($token), @headers]);
        join ' ', $response->{status}, $response->{headers}{told} // '';
    } 1 .. 3;
    is_deeply \@told, [ ($told[0]) x 3 ], "$method $target @headers is told alike three times";
    return $told[0];
}

subtest 'variables show the same of a line that is known' => sub {
    is told('POST', '/topics/orders', $token), '200 allowed orders  api.v2.produce-to-topic topic:produce orders';
    is told('POST', '/topics/other', $token), '403 refused default policy_denied api.v2.produce-to-topic topic:produce other';
};

subtest 'a line that is known is decided about for whoever sends it' => sub {
    is told('POST', '/topics/orders', $other), '403 refused default policy_denied api.v2.produce-to-topic topic:produce orders';
    is told('POST', '/topics/orders', $token), '200 allowed orders  api.v2.produce-to-topic topic:produce orders';
    is $server->request('POST', '/topics/orders')->{status}, 401;
};

subtest 'another method, query or location makes another line' => sub {
    like told('DELETE', '/topics/orders', $token), qr/^403 refused \S* ?operation_unknown/;
    like told('POST', '/topics/orders?a=b', $token), qr/^200 allowed orders/;
    like told('POST', '/behind/topics/orders', $token), qr/^200 allowed orders .* orders$/;
    like told('POST', '/behind/topics/other', $token), qr/^403 refused default .* other$/;
};

subtest 'a field that names something is asked again' => sub {
    my $first = 'Content-Type: application/vnd.kafka.v1+json';
    like told('POST', '/topics/orders', $token, $first), qr/^403 refused \S* ?operation_refused/;
    like told('POST', '/topics/orders', $token), qr/^200 allowed orders/;
    like told('POST', '/topics/orders', $token, $first, $first), qr/^400 refused \S* ?request_ambiguous/;
    my $target = '/api/2.1/jobs/get?job_id=42';
    like told('GET', $target, $token), qr/^200 allowed reads  jobs.get job:read 42$/;
    like told('GET', $target, $token, 'X-Databricks-Org-Id: 7'), qr/^200 allowed reads/;
    like told('GET', $target, $token, 'X-Databricks-Org-Id: 8'), qr/^403 refused \S* ?operation_refused/;
    like told('GET', "$target&o=8", $token), qr/^403 refused \S* ?operation_refused/;
};

subtest 'what would say another method does not go upstream' => sub {
    for (1 .. 3) {
        my $response = $server->request('POST', '/topics/orders',
            headers => [bearer_of($token), 'X-HTTP-Method-Override: DELETE', 'X-Other: kept']);
        unlike $response->{body}, qr/Override/i;
        like $response->{body}, qr/^X-Other: kept\r$/m;
    }
};

subtest 'rules in a dry run have their say each time' => sub {
    my $before = $server->mesh_status->{policy_dry_runs};
    like told('GET', '/topics/orders', $token), qr/^200 dry_run orders policy_denied/;
    like told('POST', '/topics/tried', $token), qr/^403 refused default policy_denied/;
    my $after = $server->mesh_status->{policy_dry_runs};
    is_deeply { map { $_ => $after->{$_} - $before->{$_} } keys %$after }, { would_refuse => 3, would_allow => 3 };
};

subtest 'a body that may name something else is read, whatever is known of the line' => sub {
    my $target = '/api/2.1/jobs/get?job_id=42';
    my $ask = sub ($body) {
        return $server->request('GET', $target, headers => [bearer_of($token), 'Content-Type: application/json'],
            body => $body)->{status};
    };
    for (1 .. 3) {
        like told('GET', $target, $token), qr/^200/;
        is $ask->('{"job_id":42}'), 200;
        is $ask->('{"job_id":43}'), 400, 'one resource has two names';
    }
};

$server->stop;
done_testing;
