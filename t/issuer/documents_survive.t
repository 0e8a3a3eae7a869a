# Keys that were fetched outlive the worker that fetched them, a reload, a restart and an upgrade, while their
# server is away.

use v5.36;

use lib 't/lib';

use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::Documents;
use Test::Mesh::Issuer;
use Test::Mesh::Load qw(await_all each_worker request_bytes statuses token_server);
use Test::Mesh::Log qw(complaints);
use Test::Mesh::Server;

my $servers = token_server();
my @away = (expected => [qr/mesh_issuer "(?:idp|other)"/, qr/exited on signal 9/]);
my $issuer = Test::Mesh::Issuer->start('a');
my %of = map { $_ => bearer(key => $issuer->key($_), issuer => 'https://idp.example') } 'a' .. 'e';
my $block = $issuer->block('idp', 'refresh 1s; min_refresh 1s;');

subtest 'a leader that is killed' => sub {
    my $server = Test::Mesh::Server->start("$block$servers", workers => 2, @away);
    my $clients = each_worker($server, '/t');
    await_all($server, 200, $clients, '/t', $of{a});
    my $load = Test::Mesh::Load->start($server->port, requests => [request_bytes('/t', $of{a})], clients => 3,
        pause => 0.001);
    my $kills = 0;
    while ($kills < 12) {
        sleep 0.1;
        my $status = eval { $server->mesh_status } or next;
        my ($leader) = map { $_->{pid} } grep { $_->{worker} == 0 } $status->{workers}->@*;
        kill 'KILL', $leader and $kills++;
    }
    $server->await('both workers', sub { $server->worker_pids == 2 });
    my $count = $load->stop;
    note join ', ', map { "$_: $count->{$_}" } sort keys %$count;
    is_deeply [grep { !/\A(?:200|again|failed)\z/ } keys %$count], [], 'no request is refused';
    cmp_ok $count->{200}, '>', $kills, 'and many are served';
    # Who comes after it fetches.
    $issuer->publish('a', 'b');
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{b});
    $server->stop;
};

subtest 'while the server is away' => sub {
    my $server = Test::Mesh::Server->start("$block$servers", workers => 2, @away);
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{a});
    $issuer->down;
    my $load = Test::Mesh::Load->start($server->port, requests => [request_bytes('/t', $of{a})], clients => 2,
        keepalive => 1, pause => 0.001);
    $server->reload for 1 .. 3;
    my $other = $issuer->block('other', 'refresh 1s; min_refresh 1s;');
    $server->reload("$other$block$servers");
    is statuses(each_worker($server, '/t'), '/t', $of{a}), '200 200', 'a reload that adds an issuer keeps the keys of the others';
    is $server->get('/t', bearer(key => $issuer->key('a'), issuer => 'https://other.example'))->{status}, 503,
        'which are not those of the new one';
    $server->reload("$block$servers");
    my ($leader) = map { $_->{pid} } grep { $_->{worker} == 0 } $server->mesh_status->{workers}->@*;
    $server->signal('KILL', $leader);
    $server->await('another worker', sub { $server->worker_pids == 2 && !grep { $_ == $leader } $server->worker_pids });
    is statuses(each_worker($server, '/t'), '/t', $of{a}), '200 200', 'so does the death of the leader';
    my $count = $load->stop;
    note join ', ', map { "$_: $count->{$_}" } sort keys %$count;
    is_deeply [grep { !/\A(?:200|again|failed)\z/ } keys %$count], [], 'no request is refused';
    $issuer->publish('c')->up;
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{c});
    pass 'the new leader fetches';
    await_all($server, 401, each_worker($server, '/t'), '/t', $of{a});
    $server->stop;
};

subtest 'a reload passes the lead on' => sub {
    my $server = Test::Mesh::Server->start("$block$servers", workers => 2, @away,
        main => 'worker_shutdown_timeout 120s;');
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{c});
    # A worker that goes on with its connection, and must not fetch any more.
    my $old = each_worker($server, '/t');
    my ($worker) = sort keys %$old;
    my $client = $old->{$worker}[0];
    $client->send("GET /t HTTP/1.1\r\nHost: localhost\r\n");
    $server->reload;
    $issuer->publish('c', 'd');
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{d});
    my ($fetches, $began) = ($issuer->fetches, time);
    sleep 3.2;
    # A second becomes up to a fifth shorter, by chance.
    cmp_ok $issuer->fetches - $fetches, '<=', 1 + (time - $began) / 0.8, 'one worker fetches';
    # The old one has what the new one fetched.
    my $response = $client->send("$of{d}\r\n\r\n")->response;
    is $response->{headers}{'x-worker'}, $worker, 'the old worker is there still';
    is $response->{status}, 200, 'and has the keys';
    $client->close;
    $server->stop;
};

subtest 'a restart' => sub {
    my $directory = new_directory();
    my $text = "mesh_state_path $directory;\n$block$servers";
    $issuer->publish('d');
    # As a user without rights, where the tests can be another one.
    my @as = $> == 0 ? (user => 'nobody ' . getgrgid +(getpwnam 'nobody')[3]) : ();
    my $server = Test::Mesh::Server->start($text, workers => 2, @away, @as);
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{d});
    my $file = "$directory/idp.keys";
    $server->await('a file', sub { -s $file });
    is sprintf('%o', 0777 & (stat $file)[2]), '600', 'the file is for its owner alone';
    is_deeply [glob "$directory/* $directory/.idp*"], [$file], 'and the only one';
    $server->stop;
    $issuer->down;
    $server = Test::Mesh::Server->start($text, workers => 2, @away, @as);
    is statuses(each_worker($server, '/t'), '/t', $of{d}), '200 200', 'the next start has the keys at once';
    unlink $file or die "$file: $!\n";
    $issuer->publish('e')->up;
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{e});
    $server->await('a file', sub { -s $file });
    pass 'and keeps the next ones';

    chmod 0, $directory;
    $issuer->publish('d');
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{d});
    $server->await_log(qr/\[warn\].*keys of mesh_issuer "idp" cannot be kept in "\Q$file\E"/) if $> == 0;
    pass 'keys that cannot be kept count all the same';
    chmod 0777, $directory;
    $server->stop;
};

subtest 'an upgrade' => sub {
    my $directory = new_directory();
    $issuer->publish('a');
    my $server = Test::Mesh::Server->start("mesh_state_path $directory;\n$block$servers", workers => 2, @away,
        main => 'worker_shutdown_timeout 5s;');
    await_all($server, 200, each_worker($server, '/t'), '/t', $of{a});
    $server->await('a file', sub { -s "$directory/idp.keys" });
    $server->stop;
    $issuer->down;
    $server->start_daemon;
    my ($old, $new);
    $server->await('a daemon', sub { $old = $server->daemon_pid });
    $server->await('an answer', sub { eval { $server->get('/t', $of{a})->{status} == 200 } });
    my $load = Test::Mesh::Load->start($server->port, requests => [request_bytes('/t', $of{a})], clients => 2,
        pause => 0.001);
    kill 'USR2', $old;
    $server->await('a new master', sub { ($new = $server->daemon_pid) && $new != $old });
    $server->await_requests(100);
    kill 'QUIT', $old;
    $server->await('the end of the old one', sub { !-d "/proc/$old" });
    $server->await_requests(100);
    my $count = $load->stop;
    note join ', ', map { "$_: $count->{$_}" } sort keys %$count;
    is_deeply [grep { !/\A(?:200|again)\z/ && $count->{$_} } keys %$count], [], 'refuses nothing';
    kill 'QUIT', $new;
    $server->await('its end', sub { !-d "/proc/$new" });
    is join("\n", complaints($server->error_log)), '', 'error.log is clean';
    $issuer->up;
};
$issuer->stop;
done_testing;

