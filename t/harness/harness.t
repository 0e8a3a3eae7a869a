# The harness itself: what Test::Mesh::Server and Test::Mesh::Log promise to the other tests.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Server;

my $header = '2026/01/01 00:00:00 [%s] 1#1: ';
my $token = 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln';

is_deeply [complaints(sprintf "$header*1 access denied\n", 'error')], [],
    'an ordinary error is no fault';
for my $fault ('exited on signal 11', q(thread '<unnamed>' panicked at src/lib.rs:1:1:)) {
    is complaints("$header$fault\n"), 1, "a fault: $fault";
    is complaints("$header$fault\n", substr $fault, 0, 12), 0, '... unless the test expects it';
}
is complaints(sprintf("$header%s\n", $_, 'text')), 1, "a fault: [$_]" for qw(alert emerg);

my ($complaint) = complaints(sprintf("$header%s\n", 'error', $token), qr/./);
like $complaint, qr/a token is in the log/, 'a token in the log is a fault that none can expect';
unlike $complaint, qr/\Q$token\E/, '... and is not printed again';
is complaints(sprintf "$header%s\n", 'debug', "http header: \"Authorization: $token\""), 0,
    'what Nginx itself logs when it debugs is no fault of ours';

my $conf = <<'CONF';
server {
    listen 127.0.0.1:%%PORT%%;
    %%TLS%%
    ssl_verify_client optional;
    location /version { return 200 "one"; }
    location /peer { return 200 "$ssl_client_verify $ssl_server_name"; }
    location /headers { return 200 "$http_x_one"; }
    location /chunked { ssi on; default_type text/html; return 200 "one<!--# echo var='uri' -->"; }
}
CONF
my $server = Test::Mesh::Server->start($conf, workers => 2, name => 'the server');
is $server->get('/version')->{body}, 'one', 'it answers';
is scalar(my @old = $server->worker_pids), 2, 'with two workers';
is $server->get('/headers', 'X-One: a', 'Host: a.test')->{body}, 'a', 'headers arrive';
like $server->raw("GET /version HTTP/1.0\r\n\r\n"), qr/\AHTTP\/1\.1 200 .*one\z/s, 'raw bytes too';

my $client = $server->connect;
$client->send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n" x 2);
is $client->response->{body}, 'one', "request $_ of a pipeline is answered" for 1, 2;
my $chunked = $client->request('GET', '/chunked');
is $chunked->{headers}{'transfer-encoding'}, 'chunked', 'and a response in chunks';
is $chunked->{body}, 'one/chunked', '... on the same connection';
$client->close;

my $peer = sub ($name) { $server->request('GET', '/peer', port => 'tls', tls => tls($name, sni => 'a.test'))->{body} };
is $peer->('spiffe'), 'SUCCESS a.test', 'a client certificate arrives';
is $peer->('none'), 'NONE a.test', 'or none';
is $server->get_as('spiffe', '/peer')->{body}, 'SUCCESS localhost', 'in one call';
like x5t('spiffe'), qr/\A[\w-]{43}\z/, 'a thumbprint is at hand';

$server->reload($conf =~ s/"one"/"two"/r);
is $server->get('/version')->{body}, 'two', 'a reload brings the new configuration';
my %new = map { $_ => 1 } $server->worker_pids;
is keys(%new), 2, 'to two workers';
is grep({ $new{$_} } @old), 0, 'that are new';
ok !eval { $server->reload('nonsense;'); 1 }, 'a reload that is refused dies';
like $@, qr/unknown directive "nonsense"/, '... and says why';

my ($worker) = $server->worker_pids;
$server->signal('KILL', $worker);
$server->await_log(qr/worker process $worker (exited on signal 9)/);
$server->expect_log('[emerg]', 'exited on signal 9');
$server->stop;

config_refused('nonsense;', qr/unknown directive/, 'a refusal is seen');
config_accepted('', 'an empty configuration is not refused');
like nginx_version(), qr/\A1\d{6}\z/, 'the version is a number';

done_testing;
