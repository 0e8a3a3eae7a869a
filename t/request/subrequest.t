# Subrequests under the settings of their main request pass: they carry its headers, and none that
# are not its own.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Witness;

my $upstream = Test::Mesh::Upstream->start;
my $witness = Test::Mesh::Witness->new;
my $conf = <<'CONF' =~ s/UPSTREAM/$upstream->port/ger =~ s/WITNESS/$witness->port/ger;
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    ssi_types text/plain;

    location = /asked { auth_request /witness; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /mirrored { mirror /witness; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /page {
        ssi on;
        default_type text/html;
        mesh_limit pages rate=1r/h burst=9 key=$arg_bucket;
        add_header X-Remaining $mesh_limit_remaining;
        alias %%ROOT%%/page.html;
    }
    location = /open-page { mesh_authenticate off; ssi on; default_type text/html; alias %%ROOT%%/page.html; }
    location = /witness { proxy_pass http://127.0.0.1:WITNESS; }

    location = /same { proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /limited { mesh_limit pages rate=1r/h burst=9 key=$arg_bucket; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /off { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location = /named { try_files "" @named; }
    location @named { proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
my $server = Test::Mesh::Server->start($conf);
my @included = qw(/same /limited /off /named);
spew($server->root . '/page.html',
    join '', map { qq(<!--# include virtual="$_" -->) } @included);

for my $target ('/asked', '/mirrored') {
    my $client = $server->connect;
    $client->send(join "\r\n", "GET $target HTTP/1.1", 'Host: a', 'X-Mesh-Service: forged', bearer(), '', '');
    my $seen = $witness->hear(204);
    is_deeply [fields($seen, 'X-Mesh-Service')], ['orders-api'], "$target carries the identity";
    unlike $seen, qr/^Authorization/mi, '... and no credential';
    my $response = $client->response;
    is $response->{status}, 200, '... and the request goes on';
    is_deeply [arrived($response, 'X-Mesh-Service')], ['orders-api'], '... with it';
    $client->close;

    for my $bad ([], [bearer(expires => '-1h')]) {
        is $server->get($target, @$bad, 'X-Mesh-Service: forged')->{status}, 401, "$target of a refused request";
        ok !$witness->is_asked(0.05), '... never happens';
    }
}

my $client = $server->connect;
$client->send(join "\r\n", 'GET /asked HTTP/1.1', 'Host: a', bearer(), '', '');
$witness->hear(403);
my $response = $client->response;
is $response->{status}, 403, 'who is asked may refuse an identity';
ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
$client->close;

my $page = $server->get('/page?bucket=1', bearer(), 'X-Mesh-Service: forged');
is $page->{status}, 200, 'a page with includes';
is_deeply [arrived($page, 'X-Mesh-Service')], [('orders-api') x @included], '... has each of them know the identity once';
is $page->{headers}{'x-remaining'}, 9, '... for the price of one request';
is $server->get('/page?bucket=1', bearer())->{headers}{'x-remaining'}, 8, '... whatever it includes';

is $server->get('/page')->{status}, 401, 'a page that is refused includes nothing';
my $open = $server->get('/open-page', 'X-Mesh-Service: forged', bearer(expires => '-1h'));
is $open->{status}, 200, 'an open page';
is_deeply [arrived($open, 'X-Mesh-Service')], [], '... has nobody known to what it includes';

$server->stop;
done_testing;
