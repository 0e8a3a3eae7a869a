# A subrequest is decided on by what it asks for itself, also under the settings of its main request.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(read_head);

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
spew("$dir/policy.yaml", <<'POLICY');
version: 1
services: { etl: [ { issuer: idp, service: orders-api } ] }
roles:
  reader:
    - http: { paths: ["/pub/**"], actions: [get] }
    - databricks: { jobs: ["1"], actions: [run, read] }
bindings: [ { name: reader, role: reader, services: [etl] } ]
POLICY

# Pages include what their query names; what arrived is noted.
my $seen = "$dir/seen";
my $upstream = Test::Mesh::Upstream->start(answer => sub ($socket) {
    my ($head) = read_head($socket) or return;
    my ($line) = $head =~ /\A([^\r]+)/;
    if (open my $out, '>>:raw', $seen) { syswrite $out, "$line\n" }
    my ($included) = $line =~ /[?&]include=([^ &]+)/;
    my $page = defined $included ? qq([<!--# include virtual="$included" -->]) : 'PART';
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: @{[length $page]}\r\nConnection: close\r\n\r\n$page";
});
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%DIR%%/policy.yaml;
log_format parts '$uri $mesh_decision $mesh_operation $mesh_resource';
log_subrequest on;
server {
    listen 127.0.0.1:%%PORT%%;
    access_log %%ROOT%%/logs/parts.log parts;
    mesh_authenticate token;
    mesh_platform http;
    location / { ssi on; proxy_pass %%UPSTREAM%%; }
    location /dry/ { mesh_platform http prefix=/dry; mesh_dry_run policy; ssi on; proxy_pass %%UPSTREAM%%; }
    location /api/ { mesh_platform databricks; proxy_pass %%UPSTREAM%%; }
    location = /asked { auth_request /api/2.1/jobs/run-now; mesh_platform off; proxy_pass %%UPSTREAM%%; }
}
CONF

sub page ($target) {
    spew($seen, '');
    my $response = $server->get($target, bearer());
    return ($response, [ split /\n/, slurp($seen) ]);
}

subtest 'what the identity may not read is not included' => sub {
    is $server->get('/secret/x', bearer())->{status}, 403, 'nor read';
    my ($response, $arrived) = page('/pub/page?include=/secret/x');
    is $response->{status}, 200;
    unlike $response->{body}, qr/PART/;
    is_deeply $arrived, ['GET /pub/page?include=/secret/x HTTP/1.0'], 'it never arrives';
    $server->await_log(qr/reason: policy_denied, rule: "default", service: "orders-api", operation: "get", action: "path:get", resource: "\/secret\/x"/);
    pass 'and the log says so';
};

subtest 'what it may read is included' => sub {
    my ($response, $arrived) = page('/pub/page?include=/pub/part');
    is $response->{body}, '[PART]';
    is @$arrived, 2;
};

subtest 'the same path with another query is decided on for itself' => sub {
    my ($response, $arrived) = page('/pub/page?include=/pub/page');
    is $response->{body}, '[PART]';
    is @$arrived, 2;
};

subtest 'a dry run notes it' => sub {
    my ($response, $arrived) = page('/dry/pub/page?include=/dry/secret/x');
    is $response->{body}, '[PART]';
    $server->await_log(qr/mesh refuses \(dry run\), reason: policy_denied.*resource: "\/secret\/x"/);
    pass;
};

subtest 'each part has its own operation in the log' => sub {
    my $log = slurp($server->root . '/logs/parts.log');
    like $log, qr{^/secret/x refused get /secret/x$}m;
    like $log, qr{^/pub/part allowed get /pub/part$}m;
    like $log, qr{^/pub/page allowed get /pub/page$}m;
};

subtest 'an operation that its body names is none of a subrequest' => sub {
    my ($response, $arrived) = page('/asked');
    is_deeply $arrived, [];
    cmp_ok $response->{status}, '>=', 400;
};

$server->expect_log(qr/auth request unexpected status/, qr/\[error\]/);
$server->stop;
done_testing;
