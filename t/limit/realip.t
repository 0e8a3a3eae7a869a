# An address is what the realip module made of it: for limits, and for the limit on failures.

use v5.36;

use lib 't/lib';

use IO::Socket::UNIX;
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;

# Two requests, then no more for an hour: each limit for itself, failures anywhere together.
sub limits ($name) {
    return <<"END";
    location /$name/limit { mesh_limit $name rate=1r/h burst=1 key=address; empty_gif; }
    location /$name/failures { mesh_failure_limit rate=1r/h burst=1; empty_gif; }
END
}

my $conf = <<'CONF';
include %%KEYS%%/issuers.conf;
mesh_authenticate token;
server {
    listen 127.0.0.1:%%PORT%%;
    listen unix:%%ROOT%%/trusted;
    set_real_ip_from 127.0.0.1;
    set_real_ip_from unix:;
    real_ip_header X-Real-IP;
    LIMITS trusted
    location /inner {
        real_ip_header X-Inner-IP;
        mesh_limit inner rate=1r/h burst=1 key=address;
        empty_gif;
    }
}
server {
    listen 127.0.0.1:%%PORT:untrusted%%;
    set_real_ip_from 192.0.2.0/24;
    real_ip_header X-Real-IP;
    LIMITS untrusted
}
server {
    listen 127.0.0.1:%%PORT:proxied%% proxy_protocol;
    set_real_ip_from 127.0.0.1;
    real_ip_header proxy_protocol;
    LIMITS proxied
}
server {
    listen unix:%%ROOT%%/socket;
    LIMITS unix
}
CONF
my $server = Test::Mesh::Server->start($conf =~ s/^ +LIMITS (\w+)$/limits($1)/gemr);

my @good = (bearer());
# Not an expired one: what was once verified is let through to be refused for itself.
my @bad = (bearer(key => 'other', issuer => 'https://idp.example'));

sub trusted ($target, $address, @headers) {
    return $server->get($target, @headers, $address ? "X-Real-IP: $address" : ())->{status};
}

for my $row (['limit', \@good, 200], ['failures', \@bad, 401]) {
    my ($kind, $credential, $status) = @$row;
    my $ask = sub ($address) { return trusted("/trusted/$kind", $address, @$credential) };
    my @passed = ($status) x 2;
    my @of_peer = $kind eq 'limit' ? (@passed, 429) : (429) x 3;
    is_deeply [map { $ask->('192.0.2.1') } 1 .. 3], [@passed, 429], "$kind: one address has so many";
    is_deeply [map { $ask->('192.0.2.2') } 1 .. 3], [@passed, 429], '... and the one beside it as many';
    is_deeply [map { $ask->('') } 1 .. 3], [@passed, 429], '... and who does not say, as the peer that it is';
    is $ask->('127.0.0.1'), 429, '... by whatever way';
    is_deeply [map { $ask->("2001:db8:0:1::$_") } 1, 2, 'ffff:1'], [@passed, 429], '... an IPv6 network as one';
    is $ask->('2001:db8:0:1:ffff:ffff:ffff:ffff'), 429, '... to its end';
    is $ask->('2001:db8:0:2::1'), $status, '... and not the next one';
    is $ask->('::ffff:192.0.2.1'), 429, '... an IPv4 address in IPv6 as itself';
    is $ask->('not-an-address'), 429, '... and nonsense as the peer';

    my @untrusted = map {
        $server->request('GET', "/untrusted/$kind", port => 'untrusted',
            headers => [@$credential, "X-Real-IP: 198.51.100.$_"])->{status};
    } 1 .. 3;
    is_deeply \@untrusted, \@of_peer, '... and who is not believed, whatever it says';

    my $proxied = sub ($line) {
        my $answer = $server->raw("$line\r\nGET /proxied/$kind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            . "$credential->[0]\r\n\r\n", port => 'proxied');
        return $answer =~ m{\AHTTP/1\.1 (\d+)} ? $1 : $answer;
    };
    is_deeply [map { $proxied->('PROXY TCP4 192.0.2.7 127.0.0.1 1 2') } 1 .. 3], [@passed, 429],
        '... by the PROXY protocol, too';
    is $proxied->('PROXY TCP4 192.0.2.8 127.0.0.1 1 2'), $status, '... each its own';
    is_deeply [map { $proxied->("PROXY TCP6 2001:db8::$_ ::1 1 2") } 1 .. 3], [@passed, 429], '... or network';
    is_deeply [map { $proxied->('PROXY UNKNOWN') } 1 .. 3], \@of_peer, '... or the peer';
}

# A Unix socket has no address: its clients are one, unless realip knows better.
sub over_unix ($socket, $target, @headers) {
    my $client = IO::Socket::UNIX->new($server->root . "/$socket") or die "connect: $!\n";
    print {$client} join "\r\n", "GET $target HTTP/1.1", 'Host: a', 'Connection: close', @headers, '', '';
    my $answer = do { local $/; <$client> };
    return $answer =~ m{\AHTTP/1\.1 (\d+)} ? $1 : $answer;
}
for my $row (['limit', \@good, 200], ['failures', \@bad, 401]) {
    my ($kind, $credential, $status) = @$row;
    is_deeply [map { over_unix('socket', "/unix/$kind", @$credential) } 1 .. 3], [$status, $status, 429],
        "$kind: over a Unix socket, all are one";
    is_deeply [map { over_unix('trusted', "/trusted/$kind", @$credential, 'X-Real-IP: 203.0.113.1') } 1 .. 3],
        [$status, $status, 429], '... unless it says more, and is believed';
    is over_unix('trusted', "/trusted/$kind", @$credential, 'X-Real-IP: 203.0.113.2'), $status, '... of each';
    is trusted("/trusted/$kind", '203.0.113.1', @$credential), 429, '... as of an address over TCP';
}
is over_unix('socket', '/unix/limit'), 401, 'and without a credential there is none';

my @inner = map { $server->get('/inner', @good, 'X-Inner-IP: 192.0.2.50')->{status} } 1 .. 3;
is_deeply \@inner, [200, 200, 429], 'the settings of a location count there';
is $server->get('/inner', @good, 'X-Inner-IP: 192.0.2.51')->{status}, 200, '... for each address';

$server->stop;
done_testing;
