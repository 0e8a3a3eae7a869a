# A panic is answered with 500 and logged without its message; the worker and all others go on.

use v5.36;

use lib 't/lib';

use File::Basename qw(dirname);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

# Built by scripts/build --features panic-test: the header X-Panic-Test makes the access handler panic.
my $module = dirname(module_path()) . '/panic-test/ngx_http_mesh_module.so';
plan skip_all => "$module is not built" unless -f $module;
$ENV{TEST_NGINX_LOAD_MODULES} = $module;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    mesh_authenticate token;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /any { satisfy any; allow all; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /dry { mesh_dry_run all; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /page { error_page 500 @page; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /limited { mesh_limit calls rate=1r/h burst=1; proxy_pass http://127.0.0.1:UPSTREAM; }
    location @page { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /open { mesh_authenticate off; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
$server->expect_log(qr/\[crit\].* panic at/);
my @workers = $server->worker_pids;
my @panic = (bearer(), 'X-Panic-Test: 1', 'X-Secret: of-the-request');

for my $target ('/', '/any', '/dry', '/limited') {
    my $response = $server->get($target, @panic);
    is $response->{status}, 500, "$target: a panic is answered with 500";
    ok !exists $response->{headers}{'x-upstream'}, '... and nothing goes upstream';
    unlike $response->{head} . $response->{body}, qr/panic|\.rs/i, '... and the client learns nothing of it';
}
my $page = $server->get('/page', @panic, 'X-Mesh-Service: forged');
is $page->{status}, 500, 'it has an error page like any other';
is $page->{headers}{'x-upstream'}, 'yes', '... which is reached';
unlike $page->{body}, qr/^X-Mesh/mi, '... by nobody';
is $server->get('/open', @panic)->{status}, 200, 'an open location does not come so far';

my $waiting = $server->connect;
is $waiting->request('GET', '/', headers => [bearer()])->{status}, 200, 'a connection';
$server->get('/', @panic) for 1 .. 50;
is $waiting->request('GET', '/', headers => [bearer()])->{status}, 200, '... outlives fifty panics of others';
$waiting->close;

is system(qw(curl -s -o /dev/null --http2-prior-knowledge --fail --max-time 20 -H), $panic[0], '-H', $panic[1],
    'http://127.0.0.1:' . $server->port('h2') . '/') >> 8, 22, 'over HTTP/2 it is an error as well';

is_deeply [map { $server->get('/limited', bearer())->{status} } 1 .. 3], [200, 200, 429],
    'limits go on, and a panic was not charged';
is $server->get('/', bearer(expires => '-1h'))->{status}, 401, 'so does all else';
is_deeply [$server->worker_pids], \@workers, 'in the worker that there was';

my @lines = grep { /panic/i } split /\n/, $server->error_log;
is @lines, 4 + 1 + 50 + 1, 'each panic is one line of the log';
is grep({ !/\[crit\] .* panic at \S+\.rs:\d+:\d+ in access handler, client: / } @lines), 0,
    '... at crit, with its place and the request';
unlike $server->error_log, qr/asked for|of-the-request|Bearer/, '... and neither its message nor a header';

$server->stop;
done_testing;
