# While a request waits for its body, the client, the worker, the token and the policy may change.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Select;
use Test::More;

use Test::Mesh::Body;
use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Introspector;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream qw(echo_all read_head);
use Test::Mesh::Wait;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
my $policy = <<'POLICY';
version: 1
services:
  etl: [ { issuer: idp, service: etl }, { issuer: brief, service: etl }, { issuer: opaque, service: opaque-1 } ]
roles:
  runner: [ { databricks: { jobs: ["42"], actions: [run, read] } } ]
bindings:
  - { name: night, role: runner, services: [etl] }
POLICY
replace("$dir/policy.yaml", $policy);
replace("$dir/revoked.json", q({"version":1,"revoked":[]}));
spew("$dir/secret", "secret\n");

my $issuer = Test::Mesh::Introspector->start(answer => sub ($question, $mode) {
    return ('application/json', { Test::Mesh::Introspector::facts($question->{form}{token})->%*, iss => 'https://opaque.example' });
});
my $upstream = Test::Mesh::Upstream->start(answer => \&echo_all);
# Answers after mesh_body_timeout.
my $slow = Test::Mesh::Upstream->start(answer => sub ($socket) {
    read_head($socket);
    spew("$dir/slow", slurp("$dir/slow", '') . 'x');
    sleep 2;
    print {$socket} "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nslow";
});
my $conf = <<"CONF" . <<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%SLOW%%/$slow->url/egr =~ s/%%DIR%%/$dir/gr;
mesh_issuer opaque {
    issuer https://opaque.example;
    audience mesh;
    introspection @{[$issuer->url]};
    introspection_client gateway secret=$dir/secret;
    introspection_timeout 60s;
    introspection_cache 1s;
}
CONF
include %%KEYS%%/issuers.conf;
mesh_issuer brief {
    issuer https://brief.example;
    audience mesh;
    jwks %%KEYS%%/idp.jwks;
    leeway 0s;
}
mesh_policy %%DIR%%/policy.yaml;
mesh_revocation %%DIR%%/revoked.json;
mesh_body_memory 512k;
mesh_dpop_zone 1m;
add_header Reason $mesh_reason always;
add_header X-Worker $pid always;
log_format line '$status $mesh_reason';
access_log %%ROOT%%/logs/line.log line;
lingering_timeout 500ms;
server {
    listen 127.0.0.1:%%PORT%%;
    mesh_authenticate token;
    mesh_accept idp;
    mesh_accept brief;
    mesh_platform databricks;
    location / { proxy_pass %%UPSTREAM%%; }
    location /late/ {
        mesh_platform databricks prefix=/late;
        mesh_body_timeout 1s;
        proxy_pass %%UPSTREAM%%;
    }
    location /paged/ {
        mesh_platform databricks prefix=/paged;
        mesh_body_timeout 1s;
        error_page 408 = /page;
        proxy_pass %%UPSTREAM%%;
    }
    location /nginx/ {
        mesh_platform databricks prefix=/nginx;
        client_body_timeout 1s;
        proxy_pass %%UPSTREAM%%;
    }
    location /more/ {
        mesh_platform databricks prefix=/more;
        mesh_body_timeout 1s;
        client_max_body_size 32;
        lingering_time 3s;
        proxy_pass %%UPSTREAM%%;
    }
    location /more-paged/ {
        mesh_platform databricks prefix=/more-paged;
        mesh_body_timeout 1s;
        client_max_body_size 32;
        error_page 413 = @slow;
        proxy_pass %%UPSTREAM%%;
    }
    location @slow {
        mesh_authenticate off;
        mesh_platform off;
        proxy_ignore_client_abort on;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass %%SLOW%%;
    }
    location /brief/ {
        mesh_platform databricks prefix=/brief;
        mesh_dpop accept max_age=1s;
        proxy_pass %%UPSTREAM%%;
    }
    location /opaque/ {
        mesh_platform databricks prefix=/opaque;
        mesh_accept opaque;
        proxy_pass %%UPSTREAM%%;
    }
    location = /page { mesh_authenticate off; mesh_platform off; return 200 page; }
    location = /fast { mesh_authenticate off; mesh_platform off; empty_gif; }
}
CONF
my $server = Test::Mesh::Server->start($conf);

my $token = token(subject => 'etl');
my $json = 'Content-Type: application/json';
my $path = '/api/2.1/jobs/run-now';
my $body = '{"job_id":42}';

# A client whose request waits for its body.
sub parked ($path, $token, @headers) {
    @headers = ('Content-Length: ' . length $body) if !@headers;
    my $client = $server->connect;
    $client->send(head("POST $path", $token, $json, 'Expect: 100-continue', @headers));
    return wait_for_100($client) ? $client : undef;
}

sub get ($token, $job = 42) { return $server->get("/api/2.1/jobs/get?job_id=$job", bearer_of($token)) }

sub lines ($pattern) { return scalar(() = slurp($server->root . '/logs/line.log', '') =~ /^$pattern$/mg) }

# Sends a byte now and then until there is an answer.
sub trickle ($client, $bytes) {
    my $select = IO::Select->new($client->socket);
    for my $byte (split //, $bytes) {
        last if $select->can_read(0.05);
        $client->send($byte);
    }
    return $client->response;
}

subtest 'a client that is late' => sub {
    for my $field ('Content-Length: 100000', 'Transfer-Encoding: chunked') {
        my $client = parked("/late$path", $token, $field);
        my $response = trickle($client, $field =~ /chunked/ ? chunks(' ' x 5000, 1) : ' ' x 5000);
        is verdict($response), '408 body_timeout', 'one that sends a byte now and then';
        like $response->{headers}{'content-type'}, qr/json/, '... has an answer in the shape of the platform';
        is $response->{headers}{connection}, 'close';
        is eval { $client->rest } // '', '', '... and then the connection ends';
    }
    my $client = parked("/late$path", $token);
    is verdict($client->response), '408 body_timeout', 'one that sends nothing';
    $client = parked("/paged$path", $token);
    is verdict($client->response), '408 body_timeout', 'Nginx would send no error page';
    $client = parked("/late$path", $token);
    is arrived_body($client->send($body)->response), $body, 'one in time';
    is verdict($client->request('POST', "/late$path", body => $body, headers => [bearer_of($token), $json])), '200', '... goes on';
    $server->await_log(qr/mesh refuses, reason: body_timeout, service: "etl", operation: "jobs.run_now"/);
};

subtest "a client that is late for Nginx" => sub {
    my $client = parked("/nginx$path", $token);
    is $client->response, undef, 'is left without an answer, as ever';
    $client = parked("/nginx$path", $token);
    is arrived_body($client->send($body)->response), $body, 'another is not';
};

subtest 'a body that Nginx refuses as it comes' => sub {
    my $client = parked("/more$path", $token, 'Transfer-Encoding: chunked');
    my $response = $client->send("64\r\nx")->response;
    is $response->{status}, 413, 'is refused once';
    # The connection lingers for longer than the body may take.
    local $SIG{PIPE} = 'IGNORE';
    while (syswrite $client->socket, 'x') { select undef, undef, undef, 0.05 }
    is eval { $client->rest } // '', '', '... and never again';
    $client = parked("/more-paged$path", $token, 'Transfer-Encoding: chunked');
    is $client->send("64\r\nx")->response->{body}, 'slow', 'so is one with an error page';
    is eval { $client->rest } // '', '';
    is slurp("$dir/slow"), 'x', '... for which one question is asked';
    $server->expect_log(qr/client intended to send too large chunked body/);
};

subtest 'the memory for bodies' => sub {
    # A member that is needed is held while it comes.
    my $long = '{"job_id":"' . 'y' x 60_000;
    for my $round (1 .. 6) {
        my @clients = map { parked($path, $token, 'Content-Length: 100000') } 1 .. 16;
        my ($refused, $gone) = (lines('503 body_unavailable'), lines('(?:400|503) \S+'));
        $_->send($long) for @clients;
        $server->await('503', sub { lines('503 body_unavailable') > $refused });
        pass 'no more is held than there is memory for' if $round == 1;
        is verdict(get($token)), '200', 'who needs no body goes on' if $round == 1;
        $_->close for @clients;
        $server->await('all gone', sub { lines('(?:400|503) \S+') == $gone + 16 });
    }
    my @clients = map { parked($path, $token) } 1 .. 64;
    is scalar(@clients), 64, 'it is given back, and a body that has not come takes little';
    # What is kept for redirects is little.
    is arrived_body($_->send($body)->response), $body for @clients;
};

subtest 'a client that goes away' => sub {
    for my $sent ('', '{"job_', "\x{00}") {
        my $gone = lines('400 \S+');
        parked($path, $token)->send($sent)->close;
        $server->await('400', sub { lines('400 \S+') == $gone + 1 });
    }
    pass 'is seen at once';
    # One that says that it sends no more, before it has sent all.
    my $client = parked($path, $token)->send('{"job_');
    shutdown $client->socket, 1;
    is $client->response, undef, 'a body that is shorter than its length';
};

subtest 'a body that is longer than its length' => sub {
    my $client = parked($path, $token, 'Content-Length: 13');
    $client->send($body . '{"job_id":43}');
    is arrived_body($client->response), $body, 'what is behind it is not of it';
    is $client->response->{status}, 400, '... and no request';
};

subtest 'a connection that goes on' => sub {
    my $client = $server->connect;
    for my $job (42, 43, 42, 42, 43) {
        my $response = $client->request('POST', $path, body => qq({"job_id":$job}), headers => [bearer_of($token), $json]);
        is verdict($response), $job == 42 ? '200' : '403 policy_denied', "job $job";
    }
};

# Lets a token end while a request that it was verified for waits: `end` ends it, and another request tells that
# it has.
sub outlives ($token, $reason, $end = sub { }) {
    my $client = parked($path, $token) or return fail('it was too late');
    is verdict($client->send($body)->response), '200', 'a request before';
    $client = parked($path, $token) or return fail('it was too late');
    $end->();
    is_soon(sub { verdict(get($token)) }, $reason, 'the end');
    return verdict($client->send($body)->response);
}

subtest 'a token that expires meanwhile' => sub {
    my $token = token(issuer => 'https://brief.example', subject => 'etl', expires => '4s');
    is outlives($token, '401 token_expired'), '401 token_expired';
};

subtest 'a token that is revoked meanwhile' => sub {
    my $token = token(subject => 'etl', claims => { jti => 'stolen' });
    is outlives($token, '401 token_revoked', sub {
        replace("$dir/revoked.json", q({"version":1,"revoked":[{"jti":"stolen"}]}));
    }), '401 token_revoked';
};

subtest 'a policy that is replaced meanwhile' => sub {
    is outlives($token, '403 policy_denied', sub {
        replace("$dir/policy.yaml", $policy =~ s/"42"/"43"/r);
    }), '403 policy_denied', 'it allows no more';
    my $client = parked($path, $token);
    replace("$dir/policy.yaml", $policy);
    is_soon(sub { verdict(get($token)) }, '200', 'it allows again');
    is verdict($client->send($body)->response), '200';
};

subtest 'a proof that gets old meanwhile' => sub {
    my ($client, $proof);
    my $token = bound(subject => 'etl');
    my @fields = sub { ("Authorization: DPoP $token", "DPoP: $proof") };
    my $begin = sub {
        my $client = $server->connect->send(join "\r\n", "POST /brief$path HTTP/1.1", 'Host: localhost',
            "Authorization: DPoP $token", "DPoP: $proof", $json, 'Expect: 100-continue', 'Content-Length: 13', '', '');
        my $head = $client->take(qr/\A.*?\r\n\r\n/s);
        return ($client, $head =~ m{\AHTTP/1.1 (\d+)});
    };
    # On a busy machine a proof may be old at once.
    wait_until('proof in time', sub {
        $proof = proof(token => $token, method => 'POST', url => "http://localhost/brief$path");
        ($client, my $status) = $begin->();
        return $status == 100;
    });
    my ($at) = time - 1;
    is_soon(sub {
        my $other = proof(token => $token, url => 'http://localhost/brief/api/2.1/jobs/get', at => $at);
        verdict($server->get('/brief/api/2.1/jobs/get?job_id=42', "Authorization: DPoP $token", "DPoP: $other"));
    }, '401 dpop_stale', 'a proof of that time is old');
    my (undef, $status) = $begin->();
    is $status, 401, 'it is not taken again';
    is verdict($client->send($body)->response), '200', 'a request that showed it in time is admitted';
    (undef, $status) = $begin->();
    is $status, 401, 'it is not taken again';
};

subtest 'a token that its issuer is asked about' => sub {
    my $token = fresh('opaque');
    $issuer->mode('hold');
    my $before = $issuer->questions;
    my $client = $server->connect;
    $client->send(head("POST /opaque$path", $token, $json, 'Expect: 100-continue', 'Content-Length: 13'));
    $issuer->await_questions($before + 1);
    is $server->get('/fast')->{status}, 200, 'the request waits for the issuer';
    $issuer->mode('normal');
    my $head = $client->take(qr/\A.*?\r\n\r\n/s);
    like $head, qr/\AHTTP\/1.1 100 /, 'then for its body';
    # The answer is not kept for long: the issuer is asked again after the body.
    $issuer->mode('hold');
    wait_until('question', sub {
        $server->connect->send(head('GET /opaque/api/2.1/jobs/get?job_id=42', $token));
        $issuer->questions > $before + 1;
    });
    $client->send($body);
    is $server->get('/fast')->{status}, 200, 'then for the issuer again';
    $issuer->mode('normal');
    is arrived_body($client->response), $body, '... and then it is admitted';
};

subtest 'a reload' => sub {
    my $client = parked($path, $token)->send('{"job_');
    my $denied = parked($path, $token, 'Content-Length: 12');
    my ($worker) = $server->worker_pids;
    $server->reload;
    $client->send('id":42}');
    $denied->send('{"job_id":4}');
    my $response = $client->response;
    is arrived_body($response), $body, 'the old worker goes on';
    is $response->{headers}{'x-worker'}, $worker;
    is $response->{headers}{connection}, 'close';
    is verdict($denied->response), '403 policy_denied';
    is $server->request('POST', $path, body => $body, headers => [bearer_of($token), $json])->{status}, 200, 'so does the new one';
    # It has no reason to stay.
    $server->await('the end of the old worker', sub { !$server->worker_pids('shutting_down') });
    $client = parked("/late$path", $token);
    $server->reload;
    is verdict($client->response), '408 body_timeout', 'an old worker has no more patience';
};

subtest 'a worker that is killed' => sub {
    my @clients = map { parked($path, $token) } 1 .. 8;
    my ($worker) = $server->worker_pids;
    $server->expect_log(qr/exited on signal 9/);
    $server->signal('KILL', $worker);
    is eval { $_->response }, undef, 'the connection ends' for @clients;
    $server->await('a new worker', sub { my @now = $server->worker_pids; @now == 1 && $now[0] != $worker });
    @clients = map { parked($path, $token) } 1 .. 8;
    is arrived_body($_->send($body)->response), $body, 'the next one has its own memory' for @clients;
};

subtest 'a graceful end' => sub {
    my $client = parked($path, $token)->send('{"job_');
    my $late = parked("/late$path", $token)->send('{"job_');
    $server->signal('QUIT');
    $server->await('the end', sub { $server->worker_pids('shutting_down') });
    is verdict($late->response), '408 body_timeout', 'the time is kept';
    $client->send('id":42}');
    is arrived_body($client->response), $body, 'a request that waits is answered';
};
$server->stop;

subtest 'many at once' => sub {
    my $server = Test::Mesh::Server->start($conf =~ s/512k/32m/r);
    my @clients = map {
        $server->connect->send(head("POST $path", $token, $json, 'Expect: 100-continue', 'Transfer-Encoding: chunked'));
    } 1 .. 200;
    is scalar(grep { wait_for_100($_) } @clients), 200, 'all wait';
    is $server->get('/fast')->{status}, 200, '... and hold nobody up';
    while (my ($at, $client) = each @clients) { $client->send(chunks(qq({"job_id":4) . ($at % 2 ? 2 : 3) . '}')) }
    my %count;
    while (my ($at, $client) = each @clients) { $count{ ($at % 2) . ' ' . verdict($client->response) }++ }
    is_deeply \%count, { '1 200' => 100, '0 403 policy_denied' => 100 }, 'each has its own answer';
    $server->stop;
};

$issuer->stop;
done_testing;
