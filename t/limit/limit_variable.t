# A limit by a variable of ours is not evaded where the variable was read before the location was
# found, when nobody was authenticated yet.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;

my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    set $early $mesh_service;
    location / { mesh_authenticate token; mesh_limit calls rate=1r/h key=$mesh_service; empty_gif; }
}
CONF

my @statuses = map { $server->get('/', bearer())->{status} } 1 .. 3;
is "@statuses", '200 429 429', 'the value that counts is that of this location';

$server->stop;
done_testing;
