# Keys, workers and configurations that change under load: each row of the manual.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use MIME::Base64 ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(await_all each_worker request_bytes);
use Test::Mesh::ManualTable;
use Test::Mesh::Provider;
use Test::Mesh::Response;
use Test::Mesh::Server;
use Test::Mesh::Wait;

my $REFRESH = 5;
my $MIN_REFRESH = 2;

my $table = Test::Mesh::ManualTable->under('When keys and workers change');
my $provider = Test::Mesh::Provider->start;
$provider->tell('generate', map { $_ => 'ES256' } 'a' .. 'e');
# Whose keys are asked for every few seconds, and those that are asked for only when a token needs one.
my %site = (often => $provider->another('a'), rarely => $provider->another('a'));
my %refresh = (often => "${REFRESH}s", rarely => '1d');

my $conf = join('', map { <<"END" } sort keys %site) . <<'CONF';
mesh_issuer $_ {
    issuer @{[$site{$_}->issuer]};
    audience mesh;
    trusted_certificate %%KEYS%%/ca.pem;
    refresh $refresh{$_};
    min_refresh ${MIN_REFRESH}s;
}
END
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /status { mesh_status; }
    location = /worker { add_header X-Worker $pid always; empty_gif; }
    location / {
        mesh_authenticate token;
        add_header Reason $mesh_reason always;
        empty_gif;
    }
}
CONF
my $server = Test::Mesh::Server->start($conf, workers => 2);
my %token = map { $_ => $site{$_}->token(alg => 'ES256') } keys %site;
await_workers(200, $token{$_}) for keys %site;

# What all clients of an issuer send next: the target of a turn, and a token.
my $directory = tempdir('e2e-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $turn = 0;

sub turn_to ($issuer, $token) {
    $turn++;
    replace("$directory/$issuer", "/$turn $token");
    return $token{$issuer} = $token;
}

sub begin_load ($issuer) {
    turn_to($issuer, $token{$issuer});
    my $request = sub () {
        my ($target, $token) = split / /, slurp("$directory/$issuer");
        return request_bytes($target, bearer_of($token));
    };
    return Test::Mesh::Load->start($server->port, requests => [$request], clients => 4, keepalive => 1,
        pause => 0.002, label => \&verdict);
}

# Waits until no client is busy with a turn before this one.
sub await_turn () {
    $server->await('requests of this turn', sub {
        my @last = (split /\n/, $server->access_log)[-100 .. -1];
        return !grep { !defined || !m{"GET /$turn } } @last;
    });
    return;
}

# Publishes keys, and signs by one of them from now on.
sub publish_keys ($issuer, $publish, $sign) {
    $site{$issuer}->tell('keys', publish => $publish, sign => [$sign]);
    return;
}

$table->row('a key is published `refresh` before it signs', sub {
    my $load = begin_load('often');
    # The worst moment: just after a fetch.
    await_fetch('often');
    publish_keys('often', ['a', 'b'], 'a');
    await_workers(200, $site{often}->signed_by('b'));
    publish_keys('often', ['a', 'b'], 'b');
    my $old = $token{often};
    turn_to('often', $site{often}->token(alg => 'ES256'));
    # Nobody has a token of the old one any more.
    await_turn();
    publish_keys('often', ['b'], 'b');
    await_workers(401, $old);
    $server->await_requests(200);
    my $count = $load->stop;
    is join(', ', sort keys %$count), '200, again, failed', 'each request is admitted' or diag explain $count;
    is $count->{failed}, 0, '... and answered';
    cmp_ok $count->{200}, '>', 100, '... under load';
    is_told_times('often', 2);
});

$table->row('a key is withdrawn', sub {
    my $old = $token{often};
    publish_keys('often', ['c'], 'c');
    $token{often} = $site{often}->token(alg => 'ES256');
    my @seen;
    $server->await('refusal', sub () { push @seen, verdict_on($old); $seen[-1] ne '200' });
    is $seen[-1], '401 unknown_key', 'its tokens are refused in the end';
    await_workers(401, $old);
    is verdict_on($token{often}), '200', 'when those of the new one are admitted';
    is verdict_on($old), '401 unknown_key', 'and stay so' for 1 .. 20;
});

$table->row('a key signs at once', sub {
    my $load = begin_load('rarely');
    $site{rarely}->requests;
    # At first the last fetch is long ago, the second time it is not.
    $server->await('age of the keys', sub { status_of('rarely')->{age} > $MIN_REFRESH });
    for my $key ('b', 'c') {
        publish_keys('rarely', [$key], $key);
        turn_to('rarely', $site{rarely}->token(alg => 'ES256'));
        await_workers(200, $token{rarely});
    }
    my $reached = time;
    $server->await_requests(200);
    my $all = begin_load('rarely');
    $server->await_requests(200);
    my $count = $load->stop;
    my ($first, $last) = $load->seen('401 unknown_key');
    is join(', ', sort keys %$count), '200, 401 unknown_key, again, failed', 'its tokens are refused or admitted'
        or diag explain $count;
    is $count->{failed}, 0, 'each request is answered';
    cmp_ok $count->{'401 unknown_key'}, '>', 0, 'some are refused';
    cmp_ok $last - $first, '<', 2 * $MIN_REFRESH + $PATIENCE, 'two rotations take two fetches';
    cmp_ok $last, '<', $reached + 1, 'none is refused once the second key has reached all workers';
    is join(', ', sort keys $all->stop->%*), '200, again, failed', '... for good';
    my @fetches = grep { $_->{url} =~ /jwks/ } $site{rarely}->requests;
    is @fetches, 2, 'a thousand tokens of an unknown key are a fetch each time' or diag explain \@fetches;
    cmp_ok $fetches[1]{time} - $fetches[0]{time}, '>', $MIN_REFRESH / 2, '... min_refresh apart';
    diag sprintf '401 unknown_key for %.2f s in all, %d of %d requests; fetches %.2f s apart',
        $last - $first, $count->{'401 unknown_key'}, $count->{200}, $fetches[1]{time} - $fetches[0]{time};
    is_told_times('rarely', 2);
});

$table->row('tokens name keys that never were', sub {
    $site{$_}->requests for keys %site;
    my $load = begin_load('rarely');
    my ($signed, $payload, $signature) = split /\./, $token{rarely};
    my %verdict;
    my $began = time;
    for my $number (1 .. 400) {
        my $header = MIME::Base64::encode_base64url(qq({"alg":"ES256","kid":"made-up-$number","typ":"at+jwt"}));
        $verdict{ verdict_on("$header.$payload.$signature") }++;
        sleep 0.01;
    }
    my $lasted = time - $began;
    is join(', ', keys %verdict), '401 unknown_key', 'each is refused';
    my $count = $load->stop;
    is join(', ', sort keys %$count), '200, again, failed', 'and no other' or diag explain $count;
    my @fetches = grep { $_->{url} =~ /jwks/ } $site{rarely}->requests;
    cmp_ok scalar @fetches, '<=', $lasted / $MIN_REFRESH + 1, 'the server is asked once in min_refresh at the most';
});

$table->row('Nginx starts before the provider', sub {
    $site{often}->fault('provider stopped');
    my $early = Test::Mesh::Server->start($conf, workers => 2, name => 'the early one');
    my $response = $early->get('/', "Authorization: Bearer $token{often}");
    is verdict($response), '503 keys_unavailable', 'a token is refused';
    like $response->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/, '... for now';
    is $response->{headers}{'www-authenticate'}, undef, '... and not as a bad one';
    $early->await_log(qr/\[error\].*mesh_issuer "often", it has no keys yet/);
    $early->await('keys of the other issuer', sub () { verdict_on($token{rarely}, $early) eq '200' });
    $site{often}->fault(undef);
    $early->await('keys', sub () { verdict_on($token{often}, $early) eq '200' });
    pass 'the first fetch that succeeds ends it';
    $early->stop;
});

$table->row('Nginx starts before the provider, with `mesh_state_path`', sub {
    mkdir "$directory/state";
    my $with_state = "mesh_state_path $directory/state;\n$conf";
    my $first = Test::Mesh::Server->start($with_state, workers => 2, name => 'the one that leaves keys');
    $first->await('keys', sub () { verdict_on($token{often}, $first) eq '200' });
    $first->await('file', sub () { glob "$directory/state/*" });
    $first->stop;
    $site{often}->fault('provider stopped');
    my $second = Test::Mesh::Server->start($with_state, workers => 2, name => 'the one that finds them');
    is verdict_on($token{often}, $second), '200', 'each request is admitted' for 1 .. 20;
    $second->stop;
    $site{often}->fault(undef);
});

$table->row('Nginx reloads while the provider is stopped', sub {
    $site{often}->fault('provider stopped');
    $server->await_log(qr/\[error\].*mesh_issuer "often", the last good version stays in force/);
    my $load = begin_load('often');
    for (1 .. 3) {
        $server->reload;
        $server->await_requests(200);
    }
    my $count = $load->stop;
    is join(', ', sort keys %$count), '200, again, failed', 'each request is admitted' or diag explain $count;
    is $count->{failed}, 0, '... and answered';
});

$table->row('worker 0 is killed while the provider is stopped', sub {
    my $leader = pid_of_worker(0);
    $server->expect_log(qr/worker process $leader exited on signal 9/);
    $server->signal('KILL', $leader);
    $server->await_log(qr/worker process $leader exited on signal 9/);
    $server->await('another worker 0', sub () { (pid_of_worker(0) // $leader) != $leader });
    my %verdict;
    $verdict{ verdict_on($token{often}) }++ for 1 .. 200;
    is join(', ', keys %verdict), '200', 'each request is admitted';
    $site{often}->fault(undef);
    publish_keys('often', ['c', 'd'], 'd');
    my $token = $site{often}->token(alg => 'ES256');
    $server->await('a new key', sub () { verdict_on($token) eq '200' });
    pass 'the worker that follows it fetches';
});
$table->is_shown;

$server->stop;
$provider->stop;
is $provider->stderr, '', 'the provider has nothing to complain of';
done_testing;

sub verdict_on ($token, $of = $server) { return verdict($of->get('/', bearer_of($token))) }

# Waits until each worker answers a token by that status.
sub await_workers ($status, $token) {
    my $clients = each_worker($server, '/worker');
    await_all($server, $status, $clients, '/', bearer_of($token));
    $_->close for map { @$_ } values %$clients;
    return;
}

# What mesh_status says of an issuer.
sub status_of ($issuer) {
    my ($status) = grep { $_->{name} eq $issuer } $server->mesh_status->{issuers}->@*;
    return $status;
}

sub await_fetch ($issuer) {
    $site{$issuer}->requests;
    $server->await('fetch', sub () { grep { $_->{url} =~ /jwks/ } $site{$issuer}->requests });
    return;
}

sub pid_of_worker ($number) {
    my ($worker) = grep { $_->{worker} == $number } $server->mesh_status->{workers}->@*;
    return $worker->{pid};
}

# The keys were told that often since the last time.
sub is_told_times ($issuer, $times) {
    state %before;
    my @lines;
    # Messages are told about once a second.
    $server->await('the last message', sub {
        @lines = $server->log_lines(qr/\[notice\].*mesh_issuer "$issuer": \d+ keys from /);
        return @lines - ($before{$issuer} // 1) >= $times;
    });
    is @lines - ($before{$issuer} // 1), $times, 'each set of keys is told once' or diag join "\n", @lines;
    $before{$issuer} = @lines;
    return;
}
