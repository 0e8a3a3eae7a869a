# Headers of any bytes and any size are answered, and the worker lives.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $upstream = Test::Mesh::Upstream->start;
my $server = Test::Mesh::Server->start(<<'CONF' =~ s/UPSTREAM/$upstream->port/ger);
include %%KEYS%%/issuers.conf;
mesh_authenticate token;
add_header Reason $mesh_reason always;
proxy_buffer_size 64k;
proxy_buffers 8 64k;
server {
    listen 127.0.0.1:%%PORT%%;
    large_client_header_buffers 8 20k;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
server {
    listen 127.0.0.1:%%PORT:default%%;
    location / { proxy_pass http://127.0.0.1:UPSTREAM; }
}
CONF
my @workers = $server->worker_pids;
my $token = bearer();

sub answer_to_head ($head, $port = '') {
    my $text = $server->raw("$head\r\nConnection: close\r\n\r\n", port => $port);
    my ($status) = $text =~ m{\AHTTP/1\.1 (\d+)};
    my ($reason) = $text =~ /^Reason: (\S+)/m;
    return { status => $status, reason => $reason // '', text => $text };
}

# A token with a claim of so many bytes, which is a third longer in base64.
sub large ($size) { return bearer(claims => { pad => 'p' x $size }) }

# Values that are not UTF-8 go upstream as they are, and do no harm in a credential.
for my $bytes ("\xff", "\xc3\x28", "\xe2\x82", "\xf0\x90\x28\xbc", join('', map { chr } 0x80 .. 0xff), "\t\x01\x7f") {
    my $what = unpack 'H8', $bytes;
    my $passed = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token\r\nX-Any: a${bytes}z");
    is $passed->{status}, 200, "the bytes $what... in a header";
    like $passed->{text}, qr/^X-Any: a\Q$bytes\Ez\r$/m, '... arrive as they are';
    my $refused = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $bytes");
    is "$refused->{status} $refused->{reason}", '401 token_malformed', '... and in a token do not';
    is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: $bytes")->{reason}, 'credential_missing',
        '... and alone are no token';
    my $mixed = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token$bytes");
    is "$mixed->{status} $mixed->{reason}", '401 token_malformed', '... nor behind a good one';
    my $reserved = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token\r\nX-Mesh-Service: $bytes");
    is_deeply [$reserved->{text} =~ /^X-Mesh-Service: (.*)\r$/mg], ['orders-api'], '... nor in a name of ours';
}
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token\r\nX-Any: a\0b")->{status}, 400, 'a NUL is refused by Nginx';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\0b")->{status}, 400, '... in a token, too';
for my $path ("/\xff", '/%ff%fe', '/%c3%28?%ff') {
    is answer_to_head("GET $path HTTP/1.1\r\nHost: a\r\n$token")->{status}, 200, 'a path that is not UTF-8 is a path';
}

# Tokens: up to 16 KiB, as far as Nginx's buffers take them.
my $fits = large(11_900);
my $longer = large(12_500);
cmp_ok length $fits, '>', 16_000, 'a token just under 16 KiB';
cmp_ok length $fits, '<', 16_384 + 22, '... and not over it';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$fits")->{status}, 200, '... is admitted';
my $refused = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$longer");
is "$refused->{status} $refused->{reason}", '401 token_too_large', '... and one that is over it is not';
$refused = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " . 'a' x 20_000);
is "$refused->{status} $refused->{reason}", '401 token_too_large', '... nor are 20,000 bytes of nothing';
my $large = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$fits", 'default');
is $large->{status}, 400, 'by default, Nginx takes no header over 8 KB';
unlike $large->{text}, qr/X-Upstream/, '... and nothing goes upstream';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n" . large(5_000), 'default')->{status}, 200, '... but one under it';

# All other headers: at the size of a buffer, over it, and more than all buffers.
for my $size (16_384, 20_000, 20_470) {
    my $value = 'v' x ($size - length "X-Any: \r\n");
    my $passed = answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token\r\nX-Any: $value");
    is $passed->{status}, 200, "a header of $size bytes";
    like $passed->{text}, qr/^X-Any: $value\r$/m, '... arrives';
}
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token\r\nX-Any: " . 'v' x 20_480)->{status}, 400, 'a longer one is refused';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token" . ("\r\nX-Any: " . 'v' x 19_000) x 9)->{status}, 400,
    '... and so are more than the buffers hold';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token" . ("\r\nX-Any: " . 'v' x 19_000) x 6)->{status}, 200,
    '... but not as many as they do';
is answer_to_head('GET /' . 'p' x 21_000 . " HTTP/1.1\r\nHost: a\r\n$token")->{status}, 414, 'a long path is refused by Nginx';
is answer_to_head('GET /' . 'p' x 19_000 . " HTTP/1.1\r\nHost: a\r\n$token")->{status}, 200, '... a shorter one is not';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\n$token" . join '', map { "\r\nA$_: $_" } 1 .. 900)->{status}, 200,
    'nine hundred headers';
is answer_to_head("GET / HTTP/1.1\r\nHost: a\r\nX-Mesh-A: " . 'v' x 20_000 . "\r\n$token")->{status}, 200,
    'a long one of ours between them';

# Heads that come byte by byte, or never to an end.
my $client = $server->connect;
$client->send($_) for split //, "GET / HTTP/1.1\r\nHost: a\r\nX-Mesh-Service: forged\r\n\r\n";
is $client->response->{status}, 401, 'a head that comes byte by byte';
$client->close;
for my $cut ('GET', "GET / HTTP/1.1\r\nHost: a\r\n$token", "GET / HTTP/1.1\r\nAuthorization: Bear") {
    my $half = $server->connect;
    $half->send($cut)->close;
}

is_deeply [$server->worker_pids], \@workers, 'the worker is who it was';
is $server->get('/', $token)->{status}, 200, '... and answers';
unlike $server->error_log, qr/[^\t\n\x20-\x7e]/, 'the log is printable';

$server->stop;
done_testing;
