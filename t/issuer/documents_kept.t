# Keys that were kept on disk count from the first request on, in every worker, for as long as they may:
# a start needs no issuer that answers.

use v5.36;

use lib 't/lib';

use POSIX qw(mkfifo);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::Documents;
use Test::Mesh::Load qw(each_worker token_server);
use Test::Mesh::Port;
use Test::Mesh::Server;

my $silent = silent_port();
my $issuer = <<"END";
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks http://127.0.0.1:$silent/keys;
    max_stale 1h;
}
END
my $servers = token_server();
my $directory = new_directory();
my $with_state = "mesh_state_path $directory;\n$issuer$servers";
my %source = (name => 'idp', issuer => 'https://idp.example', jwks => "http://127.0.0.1:$silent/keys");
my @unreachable = (expected => [qr/mesh_issuer "idp"/]);

subtest 'nothing is kept' => sub {
    my $server = Test::Mesh::Server->start($with_state, workers => 2, @unreachable);
    my $response = $server->get('/t', bearer());
    is $response->{status}, 503, 'there are no keys';
    is $response->{headers}{reason}, 'keys_unavailable', 'which the reason says';
    is $response->{headers}{'retry-after'}, 5, 'and when to come again';
    $server->stop;
};

subtest 'keys that are kept' => sub {
    keep("$directory/idp.keys", %source, age => 60, set => key_path('idp.jwks'));
    my $server = Test::Mesh::Server->start($with_state, workers => 2, @unreachable);
    my $clients = each_worker($server, '/t');
    is keys %$clients, 2, 'two workers';
    for my $worker (sort keys %$clients) {
        my $client = $clients->{$worker}[0];
        is $client->request('GET', '/t', headers => [bearer()])->{status}, 200, 'a token is admitted';
        is $client->request('GET', '/t', headers => [bearer(key => 'other', issuer => 'https://idp.example')])->{status},
            401, 'and that of another key is not';
    }
    my $status = $server->mesh_status;
    my ($idp) = $status->{issuers}->@*;
    is_deeply [map { $_->{kid} } $idp->{keys}->@*], [kids(key_path('idp.jwks'))], 'the status shows the keys';
    cmp_ok $idp->{age}, '>=', 60, 'and their age';
    is $idp->{generation}, 1, 'and their generation';
    is_deeply [map { [$_->@{qw(worker pid)}, $_->{generations}] } $status->{workers}->@*],
        [map { [$_->[0], 0 + $_->[1], [{ name => 'idp', generation => 1 }]] } by_number($status)],
        'which every worker has';
    is_deeply [sort map { $_->{pid} } $status->{workers}->@*], [sort $server->worker_pids], 'that there is';
    $server->stop;
};

subtest 'keys that are too old' => sub {
    keep("$directory/idp.keys", %source, age => 3700, set => key_path('idp.jwks'));
    my $server = Test::Mesh::Server->start($with_state, @unreachable);
    my $response = $server->get('/t', bearer());
    is $response->{status}, 503, 'are not believed';
    is $response->{headers}{'retry-after'}, 5, 'with a time to come again';
    my ($idp) = $server->mesh_status->{issuers}->@*;
    ok $idp->{stale}, 'the status says so';
    $server->stop;
};

subtest 'files that are no keys of this issuer' => sub {
    my %wrong = (
        'another issuer' => { issuer => 'https://other.example' },
        'another name' => { name => 'other' },
        'another place' => { jwks => "http://127.0.0.1:$silent/other" },
        'a document that was changed' => { damage => 1 },
        'garbage' => { garbage => 'garbage' },
        'nothing' => { garbage => '' },
    );
    for my $name (sort keys %wrong) {
        keep("$directory/idp.keys", %source, age => 1, set => key_path('idp.jwks'), $wrong{$name}->%*);
        my $server = Test::Mesh::Server->start($with_state, @unreachable);
        is $server->get('/t', bearer())->{status}, 503, "$name: not believed";
        like $server->error_log, qr{\[warn\].*kept keys of mesh_issuer "idp" are ignored: "\Q$directory\E/idp.keys"},
            "$name: which the log says";
        $server->stop;
    }
    my $file = "$directory/idp.keys";
    my %odd = (
        'a FIFO' => sub { mkfifo($file, 0600) },
        'a directory' => sub { mkdir $file },
        'a link to a device' => sub { symlink '/dev/zero', $file },
        'more than any key set' => sub { keep($file, %source, garbage => 'x' x 4_300_000, age => 1, set => key_path('idp.jwks')) },
    );
    for my $name (sort keys %odd) {
        unlink $file;
        $odd{$name}->();
        ok -e $file || -l $file, "$name is there";
        config_accepted($with_state =~ s/%%PORT%%/1/r, "$name: neither waited for nor read",
            says => qr{\[warn\].*kept keys of mesh_issuer "idp" are ignored: "\Q$file\E": (?:not a regular|file is larger)});
        rmdir $file;
    }
    unlink $file;
};

subtest 'a reload' => sub {
    keep("$directory/idp.keys", %source, age => 60, set => key_path('idp.jwks'));
    my $server = Test::Mesh::Server->start($with_state, workers => 2, @unreachable);
    is $server->get('/t', bearer())->{status}, 200, 'keys are in force';
    unlink "$directory/idp.keys";
    $server->reload;
    is $server->get('/t', bearer())->{status}, 200, 'they are kept by a reload';
    my $more = $issuer =~ s/idp/another/gr;
    $server->reload("$more$with_state");
    is $server->get('/t', bearer())->{status}, 200, 'and by one that adds an issuer before it';
    is $server->get('/t', bearer(issuer => 'https://another.example'))->{status}, 503, 'which has no keys';
    $server->reload($with_state);
    is $server->get('/t', bearer())->{status}, 200, 'and by one that takes it away';
    $server->reload($with_state =~ s/keys;/others;/r);
    is $server->get('/t', bearer())->{status}, 503, 'but not by one that moves the issuer elsewhere';
    $server->expect_log(qr/mesh_issuer "another"/);
    $server->stop;
};

subtest 'a worker that is killed' => sub {
    keep("$directory/idp.keys", %source, age => 60, set => key_path('idp.jwks'));
    my $server = Test::Mesh::Server->start($with_state, workers => 2, @unreachable,
        expected => [qr/mesh_issuer "idp"/, qr/exited on signal 9/]);
    unlink "$directory/idp.keys";
    for my $round (1 .. 4) {
        my ($first) = map { $_->{pid} } grep { $_->{worker} == 0 } $server->mesh_status->{workers}->@*;
        $server->signal('KILL', $first);
        $server->await('another one', sub { $server->worker_pids == 2 && !grep { $_ == $first } $server->worker_pids });
        is $server->get('/t', bearer())->{status}, 200, 'keys are in force';
    }
    my $clients = each_worker($server, '/t');
    is $_->[0]->request('GET', '/t', headers => [bearer()])->{status}, 200, 'in each worker' for values %$clients;
    $server->stop;
};
done_testing;

sub by_number ($status) {
    return sort { $a->[0] <=> $b->[0] } map { [$_->@{qw(worker pid)}] } $status->{workers}->@*;
}
