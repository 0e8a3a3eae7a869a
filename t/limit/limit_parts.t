# No part of mesh_zone takes from another: what strangers and variables fill costs no identity its limit.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Signer;

my $conf = <<'CONF';
include %%KEYS%%/issuers.conf;
mesh_zone 64k;
keepalive_requests 1000000;
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    mesh_authenticate token;
    location / { mesh_limit calls rate=1r/h burst=4 key=principal; empty_gif; }
    location /strangers { mesh_failure_limit rate=1r/h burst=20; empty_gif; }
    location /variable { mesh_limit variable rate=1r/h key=$arg_x; empty_gif; }
    location /address { mesh_limit address rate=1r/h key=address; empty_gif; }
    location = /status { mesh_authenticate off; mesh_status; }
}
CONF

my $signer = Test::Mesh::Signer->new;

# Quicker than a process for each.
sub signed_for ($subject) {
    my $expires = time + 3600;
    return bearer_of($signer->token_of(
        qq({"iss":"https://idp.example","aud":"mesh","sub":"$subject","exp":$expires})));
}

# How often each status and reason came, of requests that are sent many at once.
sub tally_verdicts ($server, @requests) {
    my ($client, %count) = $server->connect;
    while (my @some = splice @requests, 0, 50) {
        $client->send(join '', map {
            my ($target, @headers) = @$_;
            "GET $target HTTP/1.1\r\n" . join('', map { "$_\r\n" } 'Host: a', @headers) . "\r\n"
        } @some);
        for (@some) {
            $count{ verdict($client->response) }++;
        }
    }
    $client->close;
    return \%count;
}

sub zone_part ($server, $name) { return $server->mesh_status->{zone}{$name} }

# Twenty identities that were idle are admitted what their limit says.
sub have_theirs ($server, $when) {
    my @requests = map { my $as = signed_for("$when-$_"); (['/', $as]) x 10 } 1 .. 20;
    is_deeply tally_verdicts($server, @requests), { '200' => 100, '429 limited' => 100 }, "$when: 20 identities have theirs";
    return;
}

subtest 'strangers' => sub {
    my $server = Test::Mesh::Server->start($conf, name => 'strangers');
    my $began = time;
    my $known = signed_for('known');
    is_deeply tally_verdicts($server, ['/strangers', $known]), { '200' => 1 }, 'a token is verified';
    my $bad = 'Authorization: Bearer a.b.c';
    # All of a /48, then of a /32.
    my @one = map { ['/strangers', $bad, sprintf 'X-Real-IP: 2001:db8:7:%x::1', $_] } 1 .. 3000;
    my @all = map { ['/strangers', $bad, sprintf 'X-Real-IP: 2001:db8:%x:%x::1', 9 + $_ / 4, $_] } 1 .. 3000;
    my $count = tally_verdicts($server, @one);
    ok $count->{'401 token_malformed'} >= 300, 'each address may fail as often as before';
    ok $count->{'429 failure_limited'} > 500, '... until the addresses of a network are one: ' . join ' ', %$count;
    tally_verdicts($server, @all);
    my $part = zone_part($server, 'failures');
    ok $part->{full} > 500, 'those without room are counted';
    ok $part->{in_debt} > 300 && $part->{in_debt} <= $part->{slots}, '... and so are those that have some';
    have_theirs($server, 'after strangers');
    is_deeply tally_verdicts($server, ['/strangers', $known, 'X-Real-IP: 2001:db8:7:9999::1']), { '200' => 1 },
        'a token that was verified before is not refused by failures';
    is zone_part($server, $_)->{full}, 0, "$_ are not full" for qw(identities chosen);
    $server->expect_log(qr/\[warn\].* mesh_zone is full: its part "failures" had no room for 1 charges of failures/);
    my $lines = () = $server->error_log =~ /mesh_zone is full/g;
    cmp_ok $lines, '<=', 1 + (time - $began) / 60, 'the log says so once a minute';
    $server->stop;
};

subtest 'keys that a client chooses' => sub {
    my $server = Test::Mesh::Server->start($conf, name => 'chosen');
    my $as = signed_for('one');
    is_deeply tally_verdicts($server, map { ["/variable?x=$_", $as] } 1 .. 3000), { '200' => 3000 }, 'values of a variable';
    is_deeply tally_verdicts($server, map { ['/address', $as, 'X-Real-IP: 10.0.' . int($_ / 250) . '.' . $_ % 250] } 1 .. 1000),
        { '200' => 1000 }, '... and addresses are admitted, though there is no room';
    ok zone_part($server, 'chosen')->{full} > 2000, '... which is counted';
    have_theirs($server, 'after variables');
    is zone_part($server, $_)->{full}, 0, "$_ are not full" for qw(identities failures);
    $server->expect_log('its part "chosen" had no room for 1 charges of addresses and variables');
    $server->stop;
};

subtest 'identities' => sub {
    my $server = Test::Mesh::Server->start($conf, name => 'identities');
    my $first = signed_for('first');
    is_deeply tally_verdicts($server, (['/', $first]) x 6), { '200' => 5, '429 limited' => 1 }, 'a limit is reached';
    my @newcomers = map { ['/', signed_for("newcomer-$_")] } 1 .. 4000;
    my $count = tally_verdicts($server, @newcomers);
    my $refused = $count->{'429 limit_overflow'} // 0;
    is_deeply [sort keys %$count], ['200', '429 limit_overflow'], 'newcomers without room share a limit';
    my $part = zone_part($server, 'identities');
    cmp_ok $part->{full} - $refused, '>=', 65, '... of 16 times the burst, and one';
    cmp_ok $part->{full} - $refused, '<=', 65 + 30, '... and 16 times the rate';
    is_deeply tally_verdicts($server, ['/', $first]), { '429 limited' => 1 }, 'who is in debt stays limited';
    my $response = $server->get('/', signed_for('newest'));
    is $response->{headers}{reason}, 'limit_overflow', 'a newcomer is told';
    like $response->{headers}{'retry-after'}, qr/\A[1-9]\d{0,2}\z/, '... when to return';
    $server->reload;
    is_deeply tally_verdicts($server, ['/', $first], ['/', signed_for('newer')]), { '429 limited' => 1, '429 limit_overflow' => 1 },
        'a reload forgets nothing';
    $server->expect_log('its part "identities" had no room for 1 charges of identities', 'reason: limit_overflow, limit: "calls"');
    $server->stop;
};

done_testing;
