# A request that is refused while it is read begins at the server's rewrite directives: nothing
# that the client says of itself is there to be read.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $url = $upstream->url;

my $server = Test::Mesh::Server->start(<<"CONF");
log_format seen 'seen "\$http_x_mesh_service"';
server {
    %%TLS%%
    ssl_verify_client on;
    access_log %%ROOT%%/logs/access.log seen;
    set \$seen \$http_x_mesh_service;
    error_page 400 496 /refused;
    location / {
        proxy_set_header X-Seen \$seen;
        proxy_set_header X-Now \$http_x_mesh_service;
        proxy_pass $url;
    }
}
CONF

for ([ 'no certificate', 'none', "Host: a\r\n" ], [ 'no Host', 'spiffe', '' ]) {
    my ($name, $certificate, $host) = @$_;
    my $request = "GET /t HTTP/1.1\r\n${host}X-Mesh-Service: forged\r\nConnection: close\r\n\r\n";
    my $answer = $server->raw($request, port => 'tls', tls => tls($certificate));
    like $answer, qr/^X-Upstream: yes/m, "$name: the error page is proxied";
    unlike $answer, qr/forged/, '... and no forged name with it';
}
$server->await('two lines', sub { 2 == (() = $server->access_log =~ /^seen/mg) });
unlike $server->access_log, qr/forged/, 'nor is one in the access log';

$server->stop;
done_testing;
