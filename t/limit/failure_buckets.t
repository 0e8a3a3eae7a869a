# One limit on failures does not pay back, or use up, another one.

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
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    location /strict { mesh_failure_limit rate=1r/h burst=4; proxy_pass $url; }
    location /again { mesh_failure_limit rate=1r/h burst=4; proxy_pass $url; }
    location /lenient { mesh_failure_limit rate=10r/s burst=10; proxy_pass $url; }
    location /named {
        mesh_limit failures rate=1r/h burst=1 key=address;
        mesh_failure_limit rate=2r/h burst=1;
        proxy_pass $url;
    }
}
CONF

my $bad = 'Authorization: Bearer a.b.c';
my $statuses = sub ($path, $count, @headers) {
    return join ' ', map { $server->get($path, @headers)->{status} } 1 .. $count;
};

is $statuses->('/strict', 6, $bad), '401 401 401 401 401 429', 'a strict limit is reached';
is $statuses->('/again', 1, $bad), '429', '... in every location that has it';
is $statuses->('/lenient', 1, $bad), '401', 'a lenient one is another limit';
is $statuses->('/strict', 2, $bad), '429 429', '... and does not pay the strict one back';

is $statuses->('/named', 3, bearer()), '200 200 429', 'a limit by the name of "failures" is reached';
is $statuses->('/named', 1, $bad), '401', '... and failures are still counted by themselves';

$server->stop;
done_testing;
