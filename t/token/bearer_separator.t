# A Bearer that is not followed by a space is read by nobody: beside a certificate it would reach
# the upstream unverified, and there somebody might read it after all.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $url = $upstream->url;

my $server = Test::Mesh::Server->start(<<"CONF");
include %%KEYS%%/issuers.conf;
server {
    %%TLS%%
    ssl_verify_client optional;
    mesh_authenticate any;
    location / { proxy_pass $url; }
}
CONF

my $get = sub ($value) { return $server->get_as('spiffe', '/', "Authorization: $value") };

is $get->("Bearer\t" . token())->{status}, 401, 'a tab behind Bearer';
is $get->('Bearer,' . token())->{status}, 401, 'a comma';
is $get->('bearer="' . token() . '"')->{status}, 401, 'a parameter';

my $response = $get->('Bearer  ' . token());
is $response->{status}, 200, 'two spaces are one';
unlike $response->{body}, qr/^Authorization/m, '... and the token stays here';
like $get->('Basic dTpw')->{body}, qr/^Authorization: Basic dTpw\r$/m, 'another scheme is not ours';

$server->stop;
done_testing;
