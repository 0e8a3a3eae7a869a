# A worker's memory is bounded: by the tokens that it remembers, not by the requests that it sees.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Process qw(private_kb);
use Test::Mesh::Server;
use Test::Mesh::Signer;

# As many as a worker remembers (CACHED_TOKENS), and some more.
my $remembered = 16 * 1024;
my $batch = 32;
my $server = Test::Mesh::Server->start(<<'CONF');
include %%KEYS%%/issuers.conf;
mesh_claim $claim /email;
access_log off;
keepalive_requests 1000000;
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /t {
        mesh_authenticate token;
        mesh_limit calls rate=1r/m burst=100000;
        empty_gif;
    }
}
CONF
my $signer = Test::Mesh::Signer->new;
my $expires = time + 3600;
my ($worker) = $server->worker_pids;
my $client = $server->connect;
my ($sent, $minted) = (0, 0);

send_all(200, (numbered_token(0)) x 2048);
my $bare = private_kb($worker);
send_all(200, map { numbered_token($_) } 1 .. $remembered);
my $full = private_kb($worker);
my $each = ($full - $bare) * 1024 / $remembered;
note sprintf 'a worker takes %d KiB, and %d KiB with %d tokens: %d bytes each', $bare, $full, $remembered, $each;
cmp_ok $each, '<', 1536, 'a token that is remembered takes less than 1.5 KB';

send_all(200, map { numbered_token($remembered + $_) } 1 .. 4096);
note sprintf '%d KiB after 4096 more', private_kb($worker);
cmp_ok private_kb($worker) - $full, '<', 1024, 'those that come then take the place of others';

# The signature of another one.
my $other = (split /\./, numbered_token(0))[2];
send_all(401, map { s/\.[^.]+\z/.$other/r } map { numbered_token(100_000 + $_) } 1 .. 2048) for 1 .. 8;
note sprintf '%d KiB after 16384 bad ones', private_kb($worker);
cmp_ok private_kb($worker) - $full, '<', 1024, 'a token that does not verify takes nothing';

my @again = map { numbered_token($_) } 1 .. 4096;
send_all(200, @again) for 1 .. 15;
note sprintf '%d KiB after %d requests', private_kb($worker), $sent;
cmp_ok $sent, '>=', 100_000, 'a hundred thousand requests were sent';
cmp_ok private_kb($worker) - $full, '<', 1024, 'and take nothing either';
is +($server->worker_pids)[0], $worker, 'by the same worker';
$client->close;
$server->stop;
done_testing;

sub numbered_token ($number) {
    state %made;
    my $is_kept = $number <= 4096 || $number > 100_000;
    my $token = $made{$number} // $signer->token_of(sprintf
        '{"iss":"https://idp.example","aud":"mesh","exp":%d,"iat":%d,"sub":"service-%d","email":"service-%d@example.com"}',
        $expires, $expires - 3600, $number % 100, $number);
    $made{$number} = $token if $is_kept;
    return $token;
}

# Sends a request for each token, some at once.
sub send_all ($status, @tokens) {
    my $socket = $client->socket;
    while (my @some = splice @tokens, 0, $batch) {
        $client->send(join '', map { "HEAD /t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer $_\r\n\r\n" } @some);
        my $answers = '';
        until ((my @ends = $answers =~ /\r\n\r\n/g) == @some) {
            sysread $socket, $answers, 65536, length $answers or die "no answer\n";
        }
        my @statuses = $answers =~ m{^HTTP/1\.1 (\d+)}mg;
        my @wrong = grep { $_ != $status } @statuses;
        die "answered by $wrong[0]\n" if @wrong || @statuses != @some;
        $sent += @some;
    }
}

