# A module behind ours that waits is called again, however the body of the request came.

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
services: { orders: [ { issuer: idp, service: orders-api } ] }
roles: { runner: [ { databricks: { jobs: ["42"], actions: [run] } } ] }
bindings: [ { name: runner, role: runner, services: [orders] } ]
POLICY

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%DIR%%/$dir/gr);
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%DIR%%/policy.yaml;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_platform databricks;
    location / { auth_request /ask; proxy_pass %%UPSTREAM%%; }
    location = /ask { internal; mesh_authenticate off; mesh_platform off; proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_pass %%UPSTREAM%%; }
}
CONF

my @head = ('POST /api/2.1/jobs/run-now HTTP/1.1', 'Host: localhost', bearer(), 'Content-Type: application/json');

for my $case (['within the buffer of the header', 0], ['beyond it', 4_000], ['in a file', 100_000]) {
    my ($name, $size) = @$case;
    my $body = '{"other":"' . ('y' x $size) . '","job_id":42}';
    my $client = $server->connect;
    $client->send(join("\r\n", @head, 'Content-Length: ' . length $body, '', $body));
    is $client->response('POST')->{status}, 200, "a body $name, in one write with the header";
    $client->send(join("\r\n", @head, 'Content-Length: ' . length $body, '', $body =~ s/42/43/r));
    is $client->response('POST')->{status}, 403, '... and a second request on the connection is decided on';
    $client->close;
}

$server->stop;
done_testing;
