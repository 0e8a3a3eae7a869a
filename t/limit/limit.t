# mesh_limit admits what the rate and the burst allow to whom the key names, and says when to return.

use v5.36;

use lib 't/lib';

use Test::More;

use Test::Mesh::Config;
use Test::Mesh::Credentials;
use Test::Mesh::Curl;
use Test::Mesh::Response;
use Test::Mesh::Server;

# Minutes: what a test charges does not come back before it ends. Two workers count as one.
my $server = Test::Mesh::Server->start(<<'CONF', workers => 2);
mesh_issuer idp { issuer https://idp.example; audience mesh; jwks %%KEYS%%/idp.jwks; service_claim /azp; }
mesh_issuer other { issuer https://other.example; audience mesh; jwks %%KEYS%%/other.jwks; service_claim /azp; }
map $mesh_service $team { default ""; orders payments; billing payments; "~^odd" odd; }
server {
    listen 127.0.0.1:%%PORT%%;
    add_header Reason $mesh_reason always;
    add_header Remaining $mesh_limit_remaining always;
    add_header Decision $mesh_decision always;
    mesh_authenticate token;

    location /none { mesh_limit none rate=1r/h; empty_gif; }
    location /burst { mesh_limit burst rate=1r/h burst=3; empty_gif; }
    location /hour { mesh_limit hour rate=1000r/h burst=1; empty_gif; }
    location /day { mesh_limit day rate=2r/d burst=1; empty_gif; }
    location /rate { mesh_limit rate rate=2r/s; empty_gif; }
    location /service { mesh_limit service rate=1r/h key=service; empty_gif; }
    location /principal { mesh_limit principal rate=1r/h key=principal; empty_gif; }
    location /issuer { mesh_limit issuer rate=1r/h key=issuer; empty_gif; }
    location /address { mesh_limit address rate=1r/h key=address; empty_gif; }
    location /header { mesh_limit header rate=1r/h key=$http_x_tenant; empty_gif; }
    location /map { mesh_limit map rate=1r/h key=$team; empty_gif; }
    location /cost { mesh_limit cost rate=60r/m burst=600 cost=250; empty_gif; }
    location /shared/a { mesh_limit shared rate=1r/h burst=1; empty_gif; }
    location /shared/b { mesh_limit shared rate=1r/h burst=1; empty_gif; }
    location /several {
        mesh_limit wide rate=1r/h burst=9;
        mesh_limit narrow rate=1r/h burst=1;
        mesh_limit tenant rate=1r/h burst=9 key=$http_x_tenant;
        empty_gif;
    }
    location /wide { mesh_limit wide rate=1r/h burst=9; empty_gif; }
    location /status { mesh_limit status rate=1r/h; mesh_limit_status 503; empty_gif; }
    location /denied {
        mesh_limit denied rate=1r/h;
        mesh_require_claim /admin true;
        empty_gif;
    }
    location /outer/ {
        mesh_limit outer rate=1r/h;
        empty_gif;
        location /outer/inner { empty_gif; }
        location /outer/other { mesh_limit inner rate=1r/h; empty_gif; }
        location /outer/off { mesh_limit off; empty_gif; }
    }
    location /dry { mesh_limit dry rate=1r/h burst=1; mesh_dry_run limit; empty_gif; }
}
CONF

sub as ($service, %options) { return bearer(%options, claims => { azp => $service }) }

my ($ok, $limited) = ('200', '429 limited');

is_deeply verdicts($server, '/none', (as('a')) x 3), [$ok, $limited, $limited], 'without a burst one at a time';
is_deeply verdicts($server, '/burst', (as('a')) x 6), [($ok) x 4, ($limited) x 2], 'a burst beyond the rate, over both workers';
is_deeply verdicts($server, '/none', as('b')), [$ok], 'another service has a bucket of its own';

subtest 'a rate by the hour or the day' => sub {
    is_deeply verdicts($server, '/hour', (as('a')) x 3), [$ok, $ok, $limited], 'the burst at once';
    my $headers = $server->get('/hour', as('a'))->{headers};
    is $headers->{'ratelimit-policy'}, '"hour";q=1000;w=3600', '... of a thousand in an hour';
    like $headers->{'retry-after'}, qr/\A[1-4]\z/, '... one of which takes 3.6 seconds';
    is_deeply verdicts($server, '/day', (as('a')) x 3), [$ok, $ok, $limited], 'two a day';
    $headers = $server->get('/day', as('a'))->{headers};
    is $headers->{'ratelimit-policy'}, '"day";q=2;w=86400', '... are named';
    ok abs($headers->{'retry-after'} - 43_200) < 600, '... and half a day away';
};

subtest 'time pays back' => sub {
    my $client = $server->connect;
    my $request = "GET /rate HTTP/1.1\r\nHost: a\r\n" . as('a') . "\r\n\r\n";
    $client->send($request x 2);
    is_deeply [map { verdict($client->response) } 1, 2], [$ok, $limited], 'two at once are too many';
    select undef, undef, undef, 0.55;
    is verdict($client->send($request)->response), $ok, 'after an interval there is room again';
    $client->close;
};

subtest 'key' => sub {
    is_deeply verdicts($server, '/service', as('a'), as('a', subject => 'b'), as('b')), [$ok, $limited, $ok], 'service';
    is_deeply verdicts($server, '/service', as('a', key => 'other'), as('a', key => 'other')), [$ok, $limited],
        '... which is another one at another issuer';
    is_deeply verdicts($server, '/principal', as('a', subject => 'x'), as('b', subject => 'x'), as('a', subject => 'y')),
        [$ok, $limited, $ok], 'principal';
    is_deeply verdicts($server, '/issuer', as('a'), as('b'), as('a', key => 'other'), as('c', key => 'other')),
        [$ok, $limited, $ok, $limited], 'issuer';
    is_deeply verdicts($server, '/address', as('a'), as('b')), [$ok, $limited], 'address';
    my $status = curl(qw(-o /dev/null -w %{http_code} --interface 127.0.0.2 -H), as('b'), 'http://127.0.0.1:' . $server->port . '/address');
    is $status, 200, '... of which there are others';
    is_deeply verdicts($server, '/header', map { [as($_->[0]), "X-Tenant: $_->[1]"] } ['a', 1], ['b', 1], ['a', 2]),
        [$ok, $limited, $ok], 'a variable';
    is_deeply verdicts($server, '/header', (as('a')) x 3, ([as('a'), 'X-Tenant: ']) x 2), [($ok) x 5], '... that is empty does not limit';
    is_deeply verdicts($server, '/map', map { as($_) } qw(orders billing odd-1 odd-2 free free)),
        [$ok, $limited, $ok, $limited, $ok, $ok], 'a map of the service';
};

subtest 'cost' => sub {
    is_deeply verdicts($server, '/cost', (as('a')) x 3), [$ok, $ok, $limited], 'a request counts for it';
    is $server->get('/cost', as('b'))->{headers}{remaining}, 351, '... in what remains, too';
};

subtest 'one name is one bucket' => sub {
    is_deeply [map { verdicts($server, "/shared/$_", as('a'))->@* } qw(a b a b)], [$ok, $ok, $limited, $limited], 'in two places';
};

subtest 'several limits are charged all or none' => sub {
    my @remaining = map { $server->get('/several', as('a'))->{headers}{remaining} } 1 .. 5;
    is_deeply \@remaining, [1, 0, 0, 0, 0], 'the tightest is what remains';
    is_deeply verdicts($server, '/several', as('a')), [$limited], 'it refuses';
    is $server->get('/wide', as('a'))->{headers}{remaining}, 7, '... and the other was charged for those admitted';
};

subtest 'what is refused before is not charged' => sub {
    my $denied = as('a');
    is_deeply verdicts($server, '/denied', $denied, $denied), [('403 claim_refused') x 2], 'a denial';
    is_deeply verdicts($server, '/none', (as('c', expires => '-1h')) x 2), [('401 token_expired') x 2], 'a bad token';
    is_deeply verdicts($server, '/none', as('c')), [$ok], '... so that its owner may come';
    my $admin = bearer(claims => { azp => 'a', admin => JSON::PP::true() });
    is_deeply verdicts($server, '/denied', $admin, $admin, $denied), [$ok, $limited, '403 claim_refused'], 'who is allowed is charged';
};

subtest 'inheritance' => sub {
    is_deeply [map { verdicts($server, $_, as('a'))->@* } '/outer/', '/outer/inner'], [$ok, $limited], 'a list is inherited';
    is_deeply verdicts($server, '/outer/other', as('a'), as('a')), [$ok, $limited], '... or replaced';
    is_deeply verdicts($server, '/outer/off', (as('a')) x 3), [$ok, $ok, $ok], '... or switched off';
};

subtest 'what a client is told' => sub {
    my $response = $server->get('/burst', as('told'));
    my $headers = $response->{headers};
    is_deeply [@$headers{qw(retry-after ratelimit ratelimit-policy)}], [undef, undef, undef], 'nothing while it is admitted';
    is $headers->{remaining}, 3, '... except what the operator shows';
    $server->get('/burst', as('told')) for 1 .. 3;
    $headers = $server->get('/burst', as('told'))->{headers};
    my $wait = $headers->{'retry-after'};
    like $wait, qr/\A\d+\z/, 'Retry-After is in seconds';
    ok $wait > 1800 && $wait <= 3600, '... until there is room';
    is $headers->{'ratelimit-policy'}, '"burst";q=4;w=14400', 'RateLimit-Policy';
    is $headers->{ratelimit}, qq("burst";r=0;t=$wait), 'RateLimit';
    is $headers->{remaining}, 0, 'nothing remains';
    is $headers->{'www-authenticate'}, undef, 'it is not asked for another credential';
    my $head = $server->request('HEAD', '/burst', headers => [as('told')]);
    is verdict($head), $limited, 'no method is exempt';
    my $status = [map { $server->get('/status', as('told')) } 1, 2]->[1];
    is verdict($status), '503 limited', 'the status may be another';
    is $status->{headers}{'ratelimit-policy'}, '"status";q=1;w=3600', '... with the same headers';
    my $names = join ' ', sort map { lc } $server->get('/several', as('a'))->{head} =~ /^(RateLimit[^:]*|Retry-After):/mig;
    is $names, 'ratelimit ratelimit-policy retry-after', 'each header is there once';
};

subtest 'dry run' => sub {
    my @responses = map { $server->get('/dry', as('a')) } 1 .. 4;
    is_deeply [map { verdict($_) } @responses], [$ok, $ok, '200 limited', '200 limited'], 'nothing is refused';
    is_deeply [map { $_->{headers}{decision} } @responses], [qw(allowed allowed dry_run dry_run)], '... but noted';
    is $responses[3]{headers}{'retry-after'}, undef, 'and the client is told nothing';
};

my $log = $server->error_log;
like $log, qr/\[error\].* mesh refuses, reason: limited, limit: "burst", service: "told", client: 127.0.0.1/,
    'the log says who, and by what';
like $log, qr/ mesh refuses, reason: limited, limit: "narrow", service: "a",/, '... which of several';
like $log, qr/ mesh refuses \(dry run\), reason: limited, limit: "dry", service: "a",/, '... and a dry run';

$server->stop;

subtest 'one name has one set of parameters' => sub {
    my $issuers = "include %%KEYS%%/issuers.conf;\nmesh_authenticate token;\n";
    my $conf = sub ($second) {
        return "${issuers}server {\n location /a { mesh_limit x rate=1r/h burst=3; }\n location /b {\n"
            . "  mesh_limit x $second; # here\n} }\n";
    };
    my $message = qr/mesh_limit "x" has other parameters than the one in \S+part\.conf:4 in \S+part\.conf:6$/m;
    for my $second ('rate=2r/m burst=3', 'rate=1r/h', 'rate=1r/s burst=3', 'rate=1r/h burst=3 cost=2', 'rate=1r/h burst=3 key=issuer',
        'rate=1r/h burst=3 key=$host') {
        my ($file) = Test::Mesh::Config::write_part($conf->($second));
        config_refused("include $file;", $message, "$second names both places");
    }
    for my $second ('rate=1r/h burst=3 cost=1 key=service', 'burst=3 rate=1r/h') {
        my ($file) = Test::Mesh::Config::write_part($conf->($second));
        config_accepted("include $file;", "$second is the same");
    }
};

done_testing;
