# A script that changes the request between two of our phases does not bring a reserved header past us.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

# Debian's; each is built for the very Nginx that it comes with.
my @MODULES = map { "/usr/lib/nginx/modules/$_.so" } qw(ndk_http_module ngx_http_lua_module);
plan skip_all => 'the scripting module is not built for this Nginx'
    unless nginx_path() eq '/usr/sbin/nginx' && !grep { !-e } @MODULES;

my $upstream = Test::Mesh::Upstream->start;
my $conf = <<'CONF' =~ s/UPSTREAM/$upstream->port/ger;
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    # One goes and another comes: the list is as long as it was, and ends where it did.
    set_by_lua_block $swapped {
        ngx.req.clear_header("Swap")
        ngx.req.set_header("X-Mesh-Service", "forged")
        return "1"
    }
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /protected { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
my $server = Test::Mesh::Server->start($conf, main => join '', map { "load_module $_;\n" } @MODULES);

# The field that goes is the last one.
sub swapped ($target, @lines) {
    return $server->raw(join "\r\n", "GET $target HTTP/1.1", 'Host: a', 'Connection: close', @lines, 'Swap: 2', '', '');
}

my $open = swapped('/', 'A: 1');
like $open, qr/^A: 1\r$/m, 'the request is passed on';
unlike $open, qr/^Swap/mi, 'the script ran';
unlike $open, qr/forged/, 'what it added under a reserved name is gone';

my $protected = swapped('/protected', bearer());
is_deeply [$protected =~ /^(X-Mesh-Service: .*)\r$/mg], ['X-Mesh-Service: orders-api'],
    'the identity is that of the token';

$server->stop;
$upstream->stop;
done_testing;
