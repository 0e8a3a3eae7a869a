# A server that shows its keys only to whom it knows, as the API server of Kubernetes does.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Issuer;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Wait;

my $dir = tempdir('bearer-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;

my $issuer = Test::Mesh::Issuer->start('a');
(my $guarded = $issuer->{up}) =~ s/^    root /    if (\$http_authorization != "Bearer fresh.secret") { return 401; }\n    root /m;
$issuer->{server}->reload($guarded);

replace("$dir/token", "stale.secret\n");
my $server = Test::Mesh::Server->start($issuer->block('idp', "refresh 1s; min_refresh 1s; jwks_bearer $dir/token;") . <<'END');
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    location = /t { mesh_authenticate token; empty_gif; }
}
END
my $bearer = bearer(key => $issuer->key('a'), issuer => 'https://idp.example');

is_soon(sub { verdict($server->get('/t', $bearer)) }, '503 keys_unavailable', 'a token that the server does not take');
$server->await_log(qr/the server answers 401 while fetching/);
replace("$dir/token", "fresh.secret\n");
is_soon(sub { verdict($server->get('/t', $bearer)) }, '200', 'another in its place counts without a reload');
replace("$dir/token", "two tokens\n");
$server->await_log(qr/jwks_bearer: the file does not hold one token alone while fetching/);
is verdict($server->get('/t', $bearer)), '200', 'what was fetched stays';
$server->stop;
unlike $server->error_log, qr/secret|two tokens/, 'no token is in the log';
$issuer->stop;

my $block = "mesh_issuer idp {\n issuer https://idp.example; audience mesh;\n %s\n}\n";
config_refused(sprintf($block, "jwks_bearer $dir/token;"), qr/jwks_bearer file ".*" of mesh_issuer "idp": .*one token alone/);
config_refused(sprintf($block, "jwks_bearer $dir/none;"), qr/jwks_bearer file ".*\/none" of mesh_issuer "idp"/);
replace("$dir/token", 'fresh.secret');
config_accepted(sprintf($block, "jwks_bearer $dir/token;"), 'a token');
config_refused(sprintf($block, "jwks http://127.0.0.1:1/keys; jwks_bearer $dir/token;"), qr/is sent only over https/);
config_refused(sprintf($block, "jwks %%KEYS%%/idp.jwks; jwks_bearer $dir/token;"), qr/to which "jwks_bearer" does not apply/);

done_testing();
