# Settings in `limit_except` apply to the methods that it does not name; in `if` they are refused.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
mesh_accept idp;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    location /inherited { mesh_authenticate token; limit_except GET { allow all; } proxy_pass http://127.0.0.1:UPSTREAM; }
    location /own {
        limit_except GET {
            mesh_authenticate token;
            mesh_require_claim /role writer;
            mesh_limit writes rate=1r/h burst=1 key=principal;
            mesh_forward_credential on;
        }
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
    location /less { mesh_authenticate token; limit_except GET { mesh_authenticate off; } proxy_pass http://127.0.0.1:UPSTREAM; }
    location /returned { limit_except GET { mesh_authenticate token; } return 204; }
    location /answered { mesh_authenticate token; if ($arg_answer) { return 204; } proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF

my ($reader, $writer) = (bearer(), bearer(claims => { role => 'writer' }));

sub outcome_of ($method, $target, @headers) {
    return outcome($server->request($method, $target, headers => [@headers, 'X-Mesh-Service: forged']));
}

for my $method (qw(GET POST PUT)) {
    is outcome_of($method, '/inherited'), '401 credential_missing', "$method: a setting outside holds inside";
    is outcome_of($method, '/inherited', $reader), '200 orders-api', '... for an identity';
}
is outcome_of('GET', '/own'), '200', 'reading is open';
is outcome_of('GET', '/own', bearer(expires => '-1h')), '200', '... to everybody';
is outcome_of('POST', '/own'), '401 credential_missing', 'writing is not';
is outcome_of('FROBNICATE', '/own'), '401 credential_missing', '... nor is what Nginx does not know';
is outcome_of('POST', '/own', $reader), '403 claim_refused', '... nor for readers';
is outcome_of('POST', '/own', $writer), '200 orders-api', '... but for writers';
like $server->request('POST', '/own', headers => [$writer])->{body}, qr/^\Q$writer\E\r$/m, '... whose token is forwarded there';
is outcome_of('POST', '/own', $writer), '429 limited', '... within their limits';
is outcome_of('GET', '/own', $writer), '200', '... which are none of reading';
is outcome_of('GET', '/less'), '401 credential_missing', 'and the other way round';
is outcome_of('POST', '/less'), '200', '... it is open';
is outcome_of('GET', '/returned'), '204', 'a "return" answers the methods that are named';
is outcome_of('POST', '/returned'), '401 credential_missing', '... and no others';
is outcome_of('GET', '/answered?answer=1'), '204', 'an "if" goes on to be one';

$server->stop;

for my $line ('mesh_authenticate token', 'mesh_accept idp', 'mesh_limit a rate=1r/s', 'mesh_export off',
    'mesh_subrequests pass', 'mesh_dry_run all') {
    my ($name) = split / /, $line;
    my $refused = qr/$name: is in an "if": .* location of its own or, .* into limit_except in \S+:\d+/;
    config_refused("server { if (\$arg_a) { $line; } }", $refused, "$name in an if of a server");
    config_refused("server { location / { if (\$arg_a) { $line; } } }", $refused, "$name in an if of a location");
}
for my $line ('mesh_status', 'mesh_resource_metadata', 'mesh_zone 1m') {
    my ($name) = split / /, $line;
    config_refused("server { location / { $_ { $line; } } }", qr/"$name" directive is not allowed here/, "$name in $_")
        for 'limit_except GET', 'if ($arg_a)';
}
config_refused('server { location / { limit_except GET { mesh_export on; } } }', qr/mesh_export: "on" is not headers or off in \S+:\d+/);
config_refused('server { location / { limit_except GET { mesh_authenticate token; } } }', qr/mesh_authenticate needs a mesh_issuer/);

done_testing;
