# mesh_failure_limit ends an address's guessing, and leaves its neighbours alone.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Response;
use Test::Mesh::Server;

# A server each: one address has one bucket in all of it. `$server` is the one that is asked.
my $server;

sub start_limited ($name, $text) {
    $server = Test::Mesh::Server->start(<<'CONF' =~ s/%%TEXT%%/$text/r, name => $name);
include %%KEYS%%/issuers.conf;
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    add_header Decision $mesh_decision always;
    mesh_authenticate token;
    %%TEXT%%
}
CONF
    return;
}

my ($ok, $limited) = ('200', '429 failure_limited');
my $seen = bearer(subject => 'seen');
my $fresh = bearer(subject => 'fresh');
my $expired = bearer(expires => '-1h');
my $forged = bearer(key => 'other', issuer => 'https://idp.example', kid => 'es256');

subtest 'an address may fail so often' => sub {
    start_limited('an address', 'mesh_failure_limit rate=1r/h burst=2; location / { empty_gif; }');
    is_deeply verdicts($server, '/', $seen), [$ok], 'a token that is good';
    is_deeply verdicts($server, '/', ([]) x 8), [('401 credential_missing') x 8], 'no credential is no failure';
    is_deeply verdicts($server, '/', 'Authorization: Basic dTpw'), ['401 credential_missing'], '... nor is one of another scheme';
    is_deeply verdicts($server, '/', $expired, $forged, 'Authorization: Bearer x'),
        ['401 token_expired', '401 signature_invalid', '401 token_malformed'], 'three that are bad';
    is_deeply verdicts($server, '/', $forged, $forged), [$limited, $limited], 'the next ones are not looked at';
    is_deeply verdicts($server, '/', $fresh), [$limited], '... nor is one that might be good';
    is_deeply verdicts($server, '/', $seen, $seen), [$ok, $ok], 'but one that was verified before is admitted';
    is_deeply verdicts($server, '/', []), ['401 credential_missing'], 'who sends none is asked for one';

    my $response = $server->get('/', $fresh);
    my $headers = $response->{headers};
    like $headers->{'retry-after'}, qr/\A(?:3[0-5]\d\d|3600)\z/, 'Retry-After says when to return';
    like $headers->{'ratelimit-policy'}, qr/\A"[^"]+";q=3;w=10800\z/, '... of what';
    like $headers->{ratelimit}, qr/\A"[^"]+";r=0;t=$headers->{'retry-after'}\z/, '... and how much is left';
    is $headers->{'www-authenticate'}, undef, 'nobody is asked to try again at once';
    like $server->error_log, qr/\[error\].*mesh refuses, reason: failure_limited/, 'the log has it';

    my $status = curl(qw(-o /dev/null -w %{http_code} --interface 127.0.0.2 -H), $fresh, 'http://127.0.0.1:' . $server->port . '/');
    is $status, 200, 'another address is not limited';
    is_deeply verdicts($server, '/', $fresh), [$ok], '... and what it had verified counts here too';
    $server->stop;
};

subtest 'a token that was good and has expired pays' => sub {
    start_limited('expired', 'mesh_failure_limit rate=1r/h burst=1; location / { empty_gif; }');
    is_deeply verdicts($server, '/', ($expired) x 4), [('401 token_expired') x 4], 'its signature is known, so it is looked at';
    is_deeply verdicts($server, '/', $fresh), [$limited], '... and it is counted';
    $server->stop;
};

subtest 'time pays back' => sub {
    start_limited('time', 'mesh_failure_limit rate=2r/s; location / { empty_gif; }');
    my $client = $server->connect;
    $client->send("GET / HTTP/1.1\r\nHost: a\r\n$forged\r\n\r\n" x 3);
    is_deeply [map { verdict($client->response) } 1 .. 3], ['401 signature_invalid', $limited, $limited], 'at once';
    $client->close;
    select undef, undef, undef, 0.6;
    is_deeply verdicts($server, '/', $fresh), [$ok], 'after an interval, as those that were not looked at cost nothing';
    $server->stop;
};

subtest 'what is not a failure' => sub {
    start_limited('no failure', <<'CONF');
    mesh_failure_limit rate=1r/h;
    location /denied { mesh_require_claim /admin true; empty_gif; }
    location /limited { mesh_limit calls rate=1r/h; empty_gif; }
    location / { empty_gif; }
CONF
    is_deeply verdicts($server, '/denied', ($seen) x 3), [('403 claim_refused') x 3], 'a denial';
    is_deeply verdicts($server, '/limited', ($seen) x 3), [$ok, '429 limited', '429 limited'], 'a limit';
    is_deeply verdicts($server, '/', $fresh), [$ok], '... so that nobody pays for it';
    $server->stop;
};

subtest 'where it counts' => sub {
    start_limited('places', <<'CONF');
    mesh_failure_limit rate=1r/h burst=1;
    location / { empty_gif; }
    location /off { mesh_failure_limit off; empty_gif; }
    location /open { mesh_authenticate off; empty_gif; }
    location /status { mesh_limit_status 503; empty_gif; }
    location /satisfy { satisfy any; allow all; empty_gif; }
CONF
    is_deeply verdicts($server, '/open', ($forged) x 3), [($ok) x 3], 'not where nobody is authenticated';
    is_deeply verdicts($server, '/off', ($forged) x 3), [('401 signature_invalid') x 3], 'nor with off';
    is_deeply verdicts($server, '/', ($forged) x 3), [('401 signature_invalid') x 2, $limited], 'where it is inherited';
    is_deeply verdicts($server, '/status', $forged), ['503 failure_limited'], 'with the status of the limits';
    is_deeply verdicts($server, '/off', $fresh), [$ok], 'off is not limited by failures elsewhere';
    is $server->get('/satisfy')->{status}, 200, 'satisfy any: who sends nothing is for others to judge';
    $server->stop;
};

subtest 'dry run' => sub {
    start_limited('dry run', <<'CONF');
    mesh_failure_limit rate=1r/h burst=1;
    mesh_dry_run limit;
    location / { empty_gif; }
CONF
    is_deeply verdicts($server, '/', ($forged) x 4), [('401 signature_invalid') x 4], 'a bad credential is refused as ever';
    my $response = $server->get('/', $fresh);
    is verdict($response), "$ok failure_limited", 'a good one passes, and it is noted';
    is $response->{headers}{decision}, 'dry_run', '... as a dry run';
    $server->stop;
};

subtest 'a limit of the same name is another limit' => sub {
    start_limited('names', <<'CONF');
    mesh_failure_limit rate=1r/h burst=1;
    location /limit { mesh_limit failures rate=1r/h burst=9 key=address; empty_gif; }
    location / { empty_gif; }
CONF
    is_deeply verdicts($server, '/limit', ($seen) x 5), [($ok) x 5], 'requests that are admitted';
    is_deeply verdicts($server, '/', $fresh), [$ok], '... are no failures, whatever their limit is called';
    is_deeply verdicts($server, '/', ($forged) x 3), [('401 signature_invalid') x 2, $limited], '... of which there may be some';
    $server->stop;
};

done_testing;
