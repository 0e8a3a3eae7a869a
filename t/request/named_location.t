# A named location is judged by its own settings, and what it exports is there once.

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
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_limit calls rate=1r/h burst=9 key=$arg_bucket;
    add_header Reason $mesh_reason always;
    add_header X-Remaining $mesh_limit_remaining always;

    location /tried { try_files "" @protected; }
    location /tried-claim { try_files "" @claim; }
    location /tried-other { try_files "" @other; }
    location /tried-off { try_files "" @off; }
    location /open { mesh_authenticate off; try_files "" @protected; }
    location /open-open { mesh_authenticate off; try_files "" @off; }
    location /fails {
        proxy_intercept_errors on;
        error_page 502 504 = @protected;
        proxy_pass http://127.0.0.1:%%PORT:closed%%;
    }
    location /fails-off {
        error_page 502 = @off;
        proxy_pass http://127.0.0.1:%%PORT:closed%%;
    }
    location /accel { proxy_pass http://127.0.0.1:%%PORT:accel%%; }

    location @protected { proxy_pass http://127.0.0.1:UPSTREAM; }
    location @claim { mesh_require_claim /team data; proxy_pass http://127.0.0.1:UPSTREAM; }
    location @other { mesh_accept other; proxy_pass http://127.0.0.1:UPSTREAM; }
    location @off {
        mesh_authenticate off;
        proxy_set_header Known-As $mesh_service;
        proxy_pass http://127.0.0.1:UPSTREAM;
    }
}
server {
    listen 127.0.0.1:%%PORT:accel%%;
    add_header X-Accel-Redirect @protected;
    location / { return 200; }
}
CONF

my $bucket = 0;

sub paying_at ($target, @headers) {
    return $server->get("$target?bucket=" . ++$bucket, @headers, 'X-Mesh-Service: forged');
}

for my $target ('/tried', '/open', '/fails', '/accel') {
    my $response = paying_at($target, bearer());
    is $response->{status}, 200, "$target leads an identity to a protected named location";
    is_deeply [arrived($response, 'X-Mesh-Service')], ['orders-api'], '... which exports it once';
    unlike $response->{body}, qr/^Authorization/m, '... and no credential';
    is $response->{headers}{'x-remaining'}, 9, '... for the price of one request';

    for my $bad ([], [bearer(expires => '-1h')], ['Authorization: Basic YTph']) {
        $response = paying_at($target, @$bad);
        is $response->{status}, 401, '... and nobody else';
        ok !exists $response->{headers}{'x-upstream'}, '... so that nothing goes upstream';
        like $response->{headers}{'www-authenticate'}, qr/\ABearer realm="mesh"/, '... with one challenge';
    }
}

is paying_at('/tried-claim', bearer(claims => { team => 'data' }))->{status}, 200, 'a named location that asks more';
is paying_at('/tried-claim', bearer())->{headers}{reason}, 'claim_refused', '... is given more';
my $other = paying_at('/tried-other', bearer());
is $other->{status}, 401, 'one that believes another issuer';
is $other->{headers}{reason}, 'issuer_refused', '... does not believe the first';

for my $target ('/tried-off', '/fails-off') {
    my $response = paying_at($target, bearer());
    is $response->{status}, 200, "$target leads to an open named location";
    is_deeply [arrived($response, 'X-Mesh-Service')], [], '... which exports nothing';
    unlike $response->{body}, qr/^Known-As/m, '... and knows nobody';
    is paying_at($target)->{status}, 401, '... if the first location admits';
}
my $open = paying_at('/open-open', bearer());
is $open->{status}, 200, 'from an open location to an open named one';
is_deeply [arrived($open, 'X-Mesh-Service')], [], '... nobody is known';
like $open->{body}, qr/^Authorization: Bearer /m, '... and the credential is nobody\'s business';

$server->stop;
done_testing;
