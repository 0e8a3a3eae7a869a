# While its issuer is asked about a token, a request waits, and nothing else does: whatever happens
# to the request, the worker or the issuer meanwhile.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Introspector;
use Test::Mesh::Load qw(request_bytes);
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Upstream;
use Test::Mesh::Wait;

my $dir = tempdir('parking-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $dir;
spew("$dir/secret", "secret\n");
spew("$dir/users", "user:{PLAIN}password\n");
my $issuer = Test::Mesh::Introspector->start;
my $upstream = Test::Mesh::Upstream->start;
my $conf = <<"CONF" . <<'CONF' =~ s/UPSTREAM/$upstream->port/ger =~ s/%%DIR%%/$dir/gr;
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    introspection @{[$issuer->url]};
    introspection_client gateway secret=$dir/secret;
    introspection_timeout 60s;
}
CONF
add_header Reason $mesh_reason always;
add_header X-Service $mesh_service always;
log_format line '$status "$mesh_service" "$mesh_reason"';
access_log %%ROOT%%/logs/line.log line;
server {
    listen 127.0.0.1:%%PORT%%;
    listen 127.0.0.1:%%PORT:h2%% http2;
    mesh_authenticate token;
    location / { empty_gif; }
    location /proxied { proxy_pass http://127.0.0.1:UPSTREAM; }
    location /fast { mesh_authenticate off; empty_gif; }
    location /basic { auth_basic x; auth_basic_user_file %%DIR%%/users; empty_gif; }
    location /any { satisfy any; auth_basic x; auth_basic_user_file %%DIR%%/users; empty_gif; }
    location /deny { satisfy any; deny all; empty_gif; }
    location /limited { mesh_limit calls rate=1r/h burst=9; empty_gif; }
    location /given-up { mesh_failure_limit rate=1r/h burst=5; empty_gif; }
    location /guessed { mesh_failure_limit rate=1r/h burst=4; empty_gif; }
}
CONF

my $number = 0;
my $basic = 'Authorization: Basic dXNlcjpwYXNzd29yZA==';

# Connections whose requests wait for the issuer: its questions have come, `count` of them.
sub parked ($server, $target, $tokens, $count = undef) {
    $issuer->mode('hold');
    my $before = $issuer->questions;
    my @clients = map { $server->connect->send(request_bytes($target, bearer_of($_))) } @$tokens;
    my %tokens = map { $_ => 1 } @$tokens;
    $issuer->await_questions($before + ($count // keys %tokens));
    return @clients;
}

my $server = Test::Mesh::Server->start($conf);

subtest 'parked requests hold nobody up' => sub {
    my @tokens = map { fresh() } 1 .. 20;
    my @clients = parked($server, '/', \@tokens);
    is $server->get('/fast')->{status}, 200, 'the same worker answers while 20 wait' for 1 .. 3;
    is verdict($server->get('/', $basic)), '401 credential_missing', '... and refuses';
    $issuer->mode('normal');
    is_deeply [map { $_->response->{headers}{'x-service'} } @clients], \@tokens, 'then each has its own answer';
    $_->send(request_bytes('/fast')) for @clients;
    is_deeply [map { $_->response->{status} } @clients], [(200) x 20], 'and its connection goes on';
};

subtest 'many requests for one token are one question' => sub {
    my $token = fresh();
    my @clients = parked($server, '/', [($token) x 50]);
    is $server->get('/fast')->{status}, 200, 'all wait';
    $issuer->mode('normal');
    is_deeply [map { verdict($_->response) } @clients], [('200') x 50], 'all are admitted';
    is $issuer->counts->{$token}, 1, 'by one answer';
    my $inactive = fresh('inactive');
    @clients = parked($server, '/guessed', [($inactive) x 4]);
    $issuer->mode('normal');
    is_deeply [map { verdict($_->response) } @clients], [('401 token_inactive') x 4], 'or refused';
    is $issuer->counts->{$inactive}, 1, '... by one';
};

subtest 'what is charged is charged once' => sub {
    my $token = fresh();
    my @clients = parked($server, '/limited', [($token) x 12]);
    $issuer->mode('normal');
    my %count;
    $count{ verdict($_->response) }++ for @clients;
    is_deeply \%count, { 200 => 10, '429 limited' => 2 }, 'a limit';
};

subtest 'a request with a body, and one behind another' => sub {
    my $token = fresh();
    $issuer->mode('hold');
    my $before = $issuer->questions;
    my $client = $server->connect;
    my $head = "POST /proxied HTTP/1.1\r\nHost: localhost\r\n" . bearer_of($token) . "\r\nContent-Length: 10\r\n\r\n";
    $client->send($head . 'hello');
    $issuer->await_questions($before + 1);
    $client->send('world' . request_bytes('/', bearer_of($token)));
    is $server->get('/fast')->{status}, 200, 'both wait';
    $issuer->mode('normal');
    like $client->response->{body}, qr/^X-Mesh-Service: \Q$token\E\r$/m, 'the first has its answer';
    is verdict($client->response), '200', '... and so has the second';
};

subtest 'a client that goes away' => sub {
    my @tokens = map { fresh() } 1 .. 10;
    my @clients = parked($server, '/', \@tokens);
    my $lines = () = line_log() =~ /^499 /mg;
    $_->close for @clients[0 .. 8];
    $server->await('499', sub { (() = line_log() =~ /^499 /mg) == $lines + 9 });
    pass 'is seen at once';
    # One of them had company.
    my $late = $server->connect->send(request_bytes('/', bearer_of($tokens[0])));
    is $server->get('/fast')->{status}, 200, 'others go on';
    $issuer->mode('normal');
    is verdict($late->response), '200', 'who asks the same has the answer';
    is verdict($clients[9]->response), '200', '... and who stayed';
    is $issuer->counts->{ $tokens[0] }, 1, '... to one question';
};

subtest 'guesses whose answer nobody waits for' => sub {
    my $given_up = sub (@tokens) {
        my $lines = () = line_log() =~ /^499 /mg;
        $_->close for parked($server, '/given-up', \@tokens);
        $server->await('499', sub { (() = line_log() =~ /^499 /mg) == $lines + @tokens });
        $issuer->mode('normal');
        # Who asks where failures are not limited knows that the answers are there.
        return map { verdict($server->get('/', bearer_of($_))) } @tokens;
    };
    is_deeply [$given_up->(map { fresh() } 1 .. 10)], [('200') x 10], 'those that are right';
    is verdict($server->get('/given-up', bearer_of(fresh('inactive')))), '401 token_inactive', '... are not charged';
    is_deeply [$given_up->(map { fresh('inactive') } 1 .. 10)], [('401 token_inactive') x 10], 'those that are wrong';
    my $guess = fresh('inactive');
    is verdict($server->get('/given-up', bearer_of($guess))), '429 failure_limited', '... are';
    is $issuer->counts->{$guess}, undef, 'so that the next one is not even asked about';
};

subtest 'an issuer that gives no answer' => sub {
    for my $mode (qw(close half garbage html text broken redirect)) {
        my $token = fresh($mode);
        my @clients = parked($server, '/', [$token, $token]);
        $issuer->mode($mode);
        for my $client (@clients) {
            my $response = $client->response;
            is verdict($response), '503 introspection_unavailable', $mode;
            is $response->{headers}{'retry-after'}, 1, '... for a second';
        }
        $issuer->mode('normal');
        is_soon(sub { verdict($server->get('/', bearer_of($token))) }, '200', '... and then it is asked again');
    }
    $server->await_log(qr/(the connection ended before the answer did while mesh_issuer "idp" is asked about a token)/);
    my $known = fresh('known');
    is verdict($server->get('/', bearer_of($known))), '200', 'a token that is known';
    $issuer->stop;
    is verdict($server->get('/', bearer_of(fresh()))), '503 introspection_unavailable', 'an issuer that is down';
    is verdict($server->get('/', bearer_of($known))), '200', 'what is known goes on';
    $issuer->begin;
    is verdict($server->get('/', bearer_of(fresh()))), '200', 'an issuer that is up again';
    $server->await_log(qr/(mesh_issuer "idp" answers about tokens again)/);
};

subtest 'other access modules' => sub {
    my $token = fresh();
    my ($client) = parked($server, '/any', [$token]);
    $issuer->mode('normal');
    is verdict($client->response), '200', 'satisfy any: a token is enough';
    ($client) = parked($server, '/deny', [fresh('inactive')]);
    $issuer->mode('normal');
    is verdict($client->response), '401 token_inactive', '... and where it is not, the next one is asked, and refuses';
    is verdict($server->get('/any', $basic)), '200 credential_missing', '... as without a token';
    ($client) = parked($server, '/basic', [$token = fresh()]);
    $issuer->mode('normal');
    is $client->response->{status}, 401, 'satisfy all: the next one is asked too';
};

subtest 'HTTP/2' => sub {
    my @tokens = map { fresh() } 1 .. 5;
    $issuer->mode('hold');
    my $before = $issuer->questions;
    my @curls = map {
        open my $out, '-|', qw(curl -sS --max-time 60 --http2-prior-knowledge -o /dev/null -w), '%{http_version} %{http_code}',
            '-H', bearer_of($_), 'http://127.0.0.1:' . $server->port('h2') . '/' or die "curl: $!\n";
        $out;
    } @tokens, fresh('inactive');
    $issuer->await_questions($before + 6);
    is $server->get('/fast')->{status}, 200, 'streams wait';
    $issuer->mode('normal');
    is_deeply [map { readline $_ } @curls], [('2 200') x 5, '2 401'], 'then each has its own answer';
    close $_ for @curls;

    # A client that resets its streams.
    $issuer->mode('hold');
    $before = $issuer->questions;
    my $lines = () = line_log() =~ /^499 /mg;
    my $pid = open my $gone, '-|', 'curl', '-sS', '--http2-prior-knowledge', '-H', bearer_of(fresh()),
        'http://127.0.0.1:' . $server->port('h2') . '/' or die "curl: $!\n";
    $issuer->await_questions($before + 1);
    kill 'KILL', $pid;
    close $gone;
    $server->await('499', sub { (() = line_log() =~ /^499 /mg) == $lines + 1 });
    $issuer->mode('normal');
    is $server->get('/fast')->{status}, 200, 'a stream that goes away is gone';

    SKIP: {
        skip 'without h2load', 5 if qx{h2load --version 2>&1} !~ /nghttp2/;
        my $token = fresh();
        $before = $issuer->questions;
        my $url = 'http://127.0.0.1:' . $server->port('h2') . '/';
        my ($counted) = qx{h2load -n 300 -c 3 -m 50 -H '@{[bearer_of($token)]}' $url 2>&1} =~ /^status codes: (.*)$/m;
        is $counted, '300 2xx, 0 3xx, 0 4xx, 0 5xx', 'many streams at once';
        is $issuer->counts->{$token}, 1, '... are one question';

        # A connection with all its streams.
        $issuer->mode('hold');
        ($before, $lines) = (scalar(my @all = $issuer->questions), scalar(my @gone = line_log() =~ /^499 /mg));
        $pid = open $gone, '-|', qw(h2load -n 30 -c 1 -m 30 -H), bearer_of(fresh()), $url or die "h2load: $!\n";
        $issuer->await_questions($before + 1);
        kill 'KILL', $pid;
        close $gone;
        $server->await('499', sub { (my @now = line_log() =~ /^499 /mg) == $lines + 30 });
        $issuer->mode('normal');
        is $server->get('/fast')->{status}, 200, 'a connection goes away with all its streams';

        # As many as fit, and a few more.
        $issuer->mode('hold');
        $lines = my @full = line_log() =~ /^503 /mg;
        open my $many, '-|', "h2load -n 1280 -c 10 -m 128 -H '@{[bearer_of(fresh())]}' $url 2>&1" or die "h2load: $!\n";
        $server->await('503', sub { (my @now = line_log() =~ /^503 /mg) == $lines + 256 });
        is $server->get('/fast')->{status}, 200, 'waiting requests are bounded';
        $issuer->mode('normal');
        ($counted) = do { local $/; <$many> } =~ /^status codes: (.*)$/m;
        is $counted, '1024 2xx, 0 3xx, 0 4xx, 256 5xx', '... and answered as ever';
    }
};

subtest 'a reload' => sub {
    my $token = fresh();
    my @old = $server->worker_pids;
    my @clients = parked($server, '/', [$token, fresh(), fresh('inactive')]);
    $server->reload;
    is scalar(my @shutting = $server->worker_pids('shutting_down')), 1, 'the old worker stays for its parked requests';
    is $server->get('/fast')->{status}, 200, 'the new one serves';
    $issuer->mode('normal');
    is_deeply [map { verdict($_->response) } @clients], ['200', '200', '401 token_inactive'], 'which have their answers';
    $server->await('the end of the old worker', sub { !-d "/proc/$old[0]" });
    is verdict($server->get('/', bearer_of($token))), '200', 'the new worker asks for itself';
    is $issuer->counts->{$token}, 2, '... once';
};

subtest 'a worker that is killed' => sub {
    my @tokens = map { fresh() } 1 .. 5;
    my @clients = parked($server, '/', \@tokens);
    my ($worker) = $server->worker_pids;
    $server->expect_log(qr/exited on signal 9/);
    $server->signal('KILL', $worker);
    is_deeply [map { verdict($_->response) } @clients], [('closed') x 5], 'takes its requests along';
    $server->await('another', sub { my @now = $server->worker_pids; @now == 1 && $now[0] != $worker });
    $issuer->mode('normal');
    is verdict($server->get('/', bearer_of($tokens[0]))), '200', 'the next one asks anew';
};

subtest 'a graceful end' => sub {
    my @clients = parked($server, '/', [fresh(), fresh('inactive')]);
    my ($worker) = $server->worker_pids;
    $server->signal('QUIT');
    $server->await('it to begin', sub { $server->worker_pids('shutting_down') == 1 });
    $issuer->mode('normal');
    is_deeply [map { verdict($_->response) } @clients], ['200', '401 token_inactive'],
        'parked requests have their answers';
    $server->await('the end', sub { !-d "/proc/$worker" });
    $server->stop;
};

subtest 'an end at once' => sub {
    my $server = Test::Mesh::Server->start($conf);
    my @clients = parked($server, '/', [fresh(), fresh()]);
    my ($worker) = $server->worker_pids;
    $server->stop('TERM');
    is_deeply [map { verdict($_->response) } @clients], ['closed', 'closed'], 'is one';
    $issuer->mode('normal');
};

subtest 'the end of the patience with a worker' => sub {
    my $server = Test::Mesh::Server->start($conf, main => 'worker_shutdown_timeout 1s;');
    my @clients = parked($server, '/', [fresh(), fresh()]);
    $server->stop('QUIT');
    is_deeply [map { verdict($_->response) } @clients], ['closed', 'closed'], 'is that of its parked requests';
    $issuer->mode('normal');
};

subtest 'a token in use' => sub {
    my $server = Test::Mesh::Server->start($conf =~ s/(introspection_timeout)/introspection_cache 12s;\n $1/r);
    my $token = fresh();
    is verdict($server->get('/', bearer_of($token))), '200', 'is known';
    $issuer->mode('hold');
    my %verdicts;
    is_soon(sub {
        $verdicts{ verdict($server->get('/', bearer_of($token))) } = 1;
        return $issuer->counts->{$token};
    }, 2, '... and asked about again, ahead of its end');
    is join(', ', keys %verdicts), '200', '... while no request waits';
    $issuer->mode('normal');
    is verdict($server->get('/', bearer_of($token))), '200', '... nor after it';
    $server->stop;
};

subtest 'an issuer that holds all of its places' => sub {
    plan skip_all => 'without h2load' if qx{h2load --version 2>&1} !~ /nghttp2/;
    my $slow = Test::Mesh::Introspector->start->mode('hold');
    my $block = $conf =~ s/\}\n.*//sr =~ s/mesh_issuer idp/mesh_issuer slow/r =~ s/idp\.example/slow.example/r;
    $block =~ s/introspection http\S+/'introspection ' . $slow->url . ';'/e;
    my $server = Test::Mesh::Server->start("$block}\n" . $conf
        =~ s/mesh_authenticate token;/mesh_authenticate token;\n mesh_accept idp;\n location \/slow { mesh_accept slow; empty_gif; }/r);
    my $url = 'http://127.0.0.1:' . $server->port('h2') . '/slow';
    my $refused = sub { my @lines = slurp($server->root . '/logs/line.log') =~ /^503 /mg };
    open my $many, '-|', "h2load -n 1280 -c 10 -m 128 -H '@{[bearer_of(fresh())]}' $url 2>&1" or die "h2load: $!\n";
    $server->await('503', sub { $refused->() >= 256 });
    is verdict($server->get('/', bearer_of(fresh()))), '200', 'leaves another the half of them';
    $slow->mode('html');
    my ($counted) = do { local $/; <$many> } =~ /^status codes: (.*)$/m;
    is $counted, '0 2xx, 0 3xx, 0 4xx, 1280 5xx', '... and is answered as one that gives no answer';
    $server->stop;
    $slow->stop;
};

subtest 'an issuer that takes too long' => sub {
    my $server = Test::Mesh::Server->start($conf =~ s/introspection_timeout 60s/introspection_timeout 1s/r);
    my $token = fresh();
    my @clients = parked($server, '/', [$token, $token]);
    is_deeply [map { verdict($_->response) } @clients], [('503 introspection_unavailable') x 2], 'gives no answer';
    $server->await_log(qr/(timed out.* while mesh_issuer "idp" is asked about a token)/);
    $issuer->mode('normal');
    $server->stop;
};

$issuer->stop;
done_testing;

sub line_log () { return slurp($server->root . '/logs/line.log') }
