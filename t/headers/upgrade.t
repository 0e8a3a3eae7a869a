# No connection leaves HTTP by a protocol that is not named, and Connection names no field of ours.

use v5.36;

use lib 't/lib';

use IO::Socket::INET;
use POSIX ();
use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

# An upstream that agrees to every change of protocol, and then sends back what it reads.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16, ReuseAddr => 1) or die "upstream: $!\n";
my $tunnel = $listener->sockport;
my $pid = fork // die "fork: $!\n";
if (!$pid) {
    $SIG{$_} = 'DEFAULT' for qw(TERM INT);
    while (my $socket = $listener->accept) {
        next if fork;
        my $head = '';
        while ($head !~ /\r\n\r\n/) {
            sysread $socket, $head, 65536, length $head or POSIX::_exit(0);
        }
        syswrite $socket, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: any\r\nConnection: upgrade\r\n\r\n";
        syswrite $socket, "tunnel: $_" while sysread $socket, $_, 65536;
        POSIX::_exit(0);
    }
    POSIX::_exit(0);
}
close $listener;

my $upstream = Test::Mesh::Upstream->start;
my $pass = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;';
my $server = Test::Mesh::Server->start(<<"CONF" =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
$pass
ignore_invalid_headers off;
server {
    listen 127.0.0.1:%%PORT%%;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /protected { mesh_authenticate token; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /named { mesh_upgrade h2c TLS/1.0; proxy_pass http://127.0.0.1:UPSTREAM; location /named/inner { proxy_pass http://127.0.0.1:UPSTREAM; } }
    location /any { mesh_upgrade any; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /off { mesh_upgrade off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location ~ ^/rewrite(?<to>/.*) { rewrite ^ \$to last; }
    location ~ ^/try(?<to>/.*) { mesh_upgrade off; try_files /none \$to; }
    location /to-named { try_files /none \@named; }
    location \@named { mesh_upgrade h2c; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /to-usual { mesh_upgrade any; try_files /none \@usual; }
    location \@usual { proxy_pass http://127.0.0.1:UPSTREAM; }
}
# A server that reads the variable before the location is known.
server {
    listen 127.0.0.1:%%PORT:read%%;
    if (\$http_upgrade) { set \$seen 1; }
    location /named { mesh_upgrade h2c; proxy_pass http://127.0.0.1:UPSTREAM; }
    location /off { mesh_upgrade off; proxy_pass http://127.0.0.1:UPSTREAM; }
    location ~ ^/rewrite(?<to>/.*) { mesh_upgrade off; rewrite ^ \$to last; }
}
# A server without a line of ours.
server {
    listen 127.0.0.1:%%PORT:plain%%;
    if (\$http_upgrade) { set \$seen 1; }
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /tunnel { proxy_read_timeout 1s; proxy_set_header Upgrade any; proxy_pass http://127.0.0.1:$tunnel; }
    location /open { proxy_set_header Upgrade any; proxy_pass http://127.0.0.1:$tunnel/; }
}
CONF

# What arrives in a field.
sub forwarded ($name, $target, @headers) {
    my ($port) = $target =~ s/^(plain|read)// ? $1 : '';
    my $client = $server->connect(port => $port);
    my $response = $client->request('GET', $target, headers => [@headers]);
    $client->close;
    return $response->{status} if $response->{status} != 200;
    return join ' | ', arrived($response, $name);
}

sub upgrade ($target, @values) { return forwarded('Upgrade', $target, map { "Upgrade: $_" } @values) }

my @others = (
    ['h2c'], ['H2C'], ['HTTP/2.0'], ['TLS/1.0'], ['websocket, h2c'], ['h2c, websocket'], ['websocket,'], ["\twebsocket"],
    ["websocket\t"], ['websocket;h2c'], ['websocket/13'], ['websockets'], [''], ['any'],
    ['websocket', 'h2c'], ['h2c', 'websocket'], ['websocket', 'websocket'], ['', 'websocket'],
);

subtest 'by default' => sub {
    for my $target (qw(/ plain/)) {
        is upgrade($target, $_), $_, "$target: $_ goes on" for qw(websocket WebSocket);
        is upgrade($target, @$_), '', "$target: " . join(' and ', map { s/\t/\\t/r } @$_) . ' does not' for @others;
    }
    is forwarded('Upgrade', '/protected', 'Upgrade: websocket', bearer()), 'websocket', 'nor in a protected location: websocket';
    is forwarded('Upgrade', '/protected', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', bearer()), '', '... but no h2c';
    is forwarded('uPGRADE', '/', 'uPGRADE: h2c'), '', 'in any case';
    is forwarded('X-Other', '/', 'X-Other: 1', 'Upgrade: h2c', 'X-Other: 2'), '1 | 2', 'what stands beside it stays';
};

subtest 'where it is named' => sub {
    for my $target ('/named', '/named/inner') {
        is upgrade($target, $_), $_, "$target: $_" for 'h2c', 'H2C', 'tls/1.0', 'websocket', 'websocket, h2c';
        is upgrade($target, @$_), '', "$target: not @$_" for ['TLS/1.1'], ['h2c, x'], ['h2c', 'websocket'];
    }
    is upgrade('/any', $_), $_, "any: $_" for 'h2c', 'websocket, h2c', 'whatever';
    is upgrade('/off', 'websocket'), '', 'off: not even websocket';
};

subtest 'on the way there' => sub {
    is upgrade('/rewrite/named', 'h2c'), 'h2c', 'what the first location takes away comes back';
    is upgrade('/rewrite/any', 'x, h2c'), 'x, h2c', '... in one that lets all pass';
    is upgrade('/rewrite/off', 'h2c'), '', '... and in no other';
    is upgrade('/rewrite/', 'h2c'), '', '... not by default';
    is upgrade('/try/', 'websocket'), 'websocket', 'after a redirect';
    is upgrade('/try/', 'h2c'), '', '... too';
    is upgrade('/to-named', 'h2c'), 'h2c', 'in a named location';
    is upgrade('/to-usual', 'h2c'), '', '... that does not let it pass';
    is upgrade('read/named', 'h2c'), 'h2c', 'in a server that has read the variable';
    is upgrade('read/off', $_), '', "... $_ does not go on by its value from then" for qw(h2c websocket);
    is upgrade('read/rewrite/named', 'h2c'), 'h2c', '... and comes back';
    is upgrade('read/rewrite/off', 'h2c'), '', '... where it may';
};

subtest 'a tunnel' => sub {
    my $ask = sub ($target, $field, $end) {
        my $client = $server->connect(port => 'plain');
        $client->send("GET $target HTTP/1.1\r\nHost: a\r\n$field\r\nConnection: upgrade\r\n\r\nping");
        my $answer = $end ? $client->rest : $client->take(qr/tunnel: .*?ping|\z(?!)/s);
        $client->close;
        return $answer // '';
    };
    like $ask->('/open', 'Upgrade: websocket', 0), qr/tunnel: ping/, 'opens for websocket';
    unlike $ask->('/tunnel', $_, 1), qr/tunnel/, "and not for $_, though the upstream agrees"
        for 'Upgrade: h2c', 'Upgrade: websocket, h2c', "Upgrade: websocket\r\nUpgrade: h2c", 'X-Other: 1';
};

subtest 'Connection' => sub {
    for (
        ['close, X-Mesh-Service', 'close'], ['X-Mesh-Service', ''], ['x_mesh_groups, Te, X.Mesh.Any', 'Te'],
        ['X-Other', 'X-Other'], ['X-Mesh', 'X-Mesh'], ['close x-mesh-service, te', 'te'], ["te,\tx-MESH-service", 'te'],
    ) {
        my ($value, $rest) = @$_;
        for my $target ('/protected', '/', 'plain/') {
            is forwarded('Connection', $target, "Connection: $value", bearer()), $rest, "$target: $value";
        }
    }
    my $both = $server->request('GET', '/protected', headers => ['Connection: X-Mesh-Service, upgrade', 'Upgrade: websocket', bearer()]);
    like $both->{body}, qr/^X-Mesh-Service: orders-api\r$/m, 'the identity goes on';
    unlike $both->{body}, qr/^Connection:.*mesh/mi, '... and nothing names it';
};

like $server->raw("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), qr{^HTTP/1.1 40[05] }, 'Nginx refuses CONNECT';

$server->stop;
kill 'TERM', $pid;
waitpid $pid, 0;
$upstream->stop;

# A request is logged that goes on without it.
subtest 'the log' => sub {
    my $told = Test::Mesh::Server->start('server { listen 127.0.0.1:%%PORT%%; location / { empty_gif; } }', log_level => 'info');
    is $told->get('/', 'Upgrade: websocket, h2c')->{status}, 200, 'the request goes on';
    $told->await_log(qr/\[info\].*mesh removes the field Upgrade, "websocket, h2c": mesh_upgrade does not name it/);
    pass 'at info it is said why without it';
    $told->stop;
};

subtest 'lines that are refused' => sub {
    refused_at("mesh_upgrade; # here\n", 'invalid number of arguments', 'none');
    refused_at("mesh_upgrade $_->[0]; # here\n", "mesh_upgrade: $_->[1]", $_->[0])
        for ['any h2c', '"any" must be alone'], ['h2c off', '"off" must be alone'],
        ['"a b"', '"a b" is not a protocol'], ['h2c/', '"h2c/" is not a protocol'], ['""', '"" is not a protocol'],
        ['h2c H2C', '"H2C" is named twice'];
    refused_at("mesh_upgrade h2c;\nmesh_upgrade h2c; # here\n", 'mesh_upgrade: is duplicate', 'twice');
};

done_testing;
