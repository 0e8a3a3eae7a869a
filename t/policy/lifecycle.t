# A policy is replaced whole, in every worker, without a reload; the last good version stays in force.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use Digest::SHA qw(sha256_hex);
use Test::More;

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Server;
use Test::Mesh::Upstream;

my $dir = tempdir('policy-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
my $file = "$dir/policy.yaml";

# A policy under which orders-api may produce to these topics.
sub policy (@topics) {
    my $topics = join ', ', @topics;
    return <<"POLICY";
version: 1
services: { orders: [ { issuer: idp, service: orders-api } ] }
roles: { producer: [ { kafka: { topics: [$topics], actions: [produce] } } ] }
bindings: [ { name: orders, role: producer, services: [orders] } ]
POLICY
}

replace($file, policy('one'));

my $workers = 3;
my $upstream = Test::Mesh::Upstream->start;
my $conf = <<'CONF' =~ s/%%UPSTREAM%%/$upstream->url/egr =~ s/%%FILE%%/$file/gr;
include %%KEYS%%/issuers.conf;
large_client_header_buffers 4 20k;
mesh_policy %%FILE%%;
server {
    listen 127.0.0.1:%%PORT%% reuseport;
    location / {
        mesh_authenticate token;
        mesh_platform kafka_rest;
        add_header Worker $pid always;
        add_header Reason $mesh_reason always;
        proxy_pass %%UPSTREAM%%;
    }
    location = /status {
        mesh_status;
    }
}
CONF
my $server = Test::Mesh::Server->start($conf, workers => $workers);
my $token = token();

sub produce ($topic) {
    return $server->request('POST', "/topics/$topic", headers => [bearer_of($token)], body => '{"records":[]}');
}

# Waits until each worker answers so, and nothing else is answered any more.
sub await_everywhere ($topic, $status) {
    $server->await("$status for $topic in all workers", sub {
        my %seen;
        for (1 .. 40) {
            my $response = produce($topic);
            return 0 if $response->{status} != $status;
            $seen{ $response->{headers}{worker} } = 1;
            last if keys %seen == $workers;
        }
        return keys %seen == $workers;
    });
    return pass("$status for $topic in all workers");
}

subtest 'the version of the start is in force, and shown' => sub {
    is produce('one')->{status}, 200;
    is produce('two')->{status}, 403;
    my $shown = $server->mesh_status->{policies};
    is @$shown, 1;
    is $shown->[0]{file}, $file;
    is $shown->[0]{digest}, sha256_hex(policy('one'));
    is_deeply [ $shown->[0]->@{qw(known generation rules)} ], [ JSON::PP::true(), 0, 1 ];
};

subtest 'a new version is in force in all workers without a reload' => sub {
    replace($file, policy('two'));
    await_everywhere('two', 200);
    await_everywhere('one', 403);
    is $server->mesh_status->{policies}[0]{digest}, sha256_hex(policy('two'));
    $server->await_log(qr/1 rules of mesh_policy/);
};

subtest 'requests in flight meet the old version or the new one, and never none' => sub {
    my %seen;
    for my $round (1 .. 3) {
        replace($file, policy('two', "t$round"));
        my %new;
        $server->await("version $round in all workers", sub {
            $seen{ produce('two')->{status} }++ for 1 .. 10;
            my $response = produce("t$round");
            $new{ $response->{headers}{worker} } = 1 if $response->{status} == 200;
            return keys %new == $workers;
        });
    }
    is_deeply [ keys %seen ], [200];
    replace($file, policy('two'));
    await_everywhere('t3', 403);
};

subtest 'a bad version changes nothing, and the log says where it is bad' => sub {
    replace($file, policy('three') =~ s/bindings/bindngs/r);
    $server->await_log(qr/\[error\].*4:1: .*bindngs.*policy\.yaml.*the last good version stays in force/);
    is produce('two')->{status}, 200;
    is produce('three')->{status}, 403;
    is $server->mesh_status->{policies}[0]{digest}, sha256_hex(policy('two'));
    unlink $file;
    $server->await_log(qr/\[error\].*No such file.*policy\.yaml/);
    is produce('two')->{status}, 200, 'also without the file';
};

subtest 'a worker that begins while the file is bad has no policy, and refuses' => sub {
    replace($file, "bindngs: []\n");
    my ($pid) = $server->worker_pids;
    $server->signal('KILL', $pid);
    $server->await('another worker', sub { 3 == grep { $_ != $pid } $server->worker_pids });
    $server->await('503 of the new worker', sub {
        my $response = produce('two');
        return $response->{status} == 503 && $response->{headers}{reason} eq 'policy_unavailable';
    });
    pass 'it answers 503';
    ok((grep { produce('two')->{status} == 200 } 1 .. 60), 'the others have the last good version');
    replace($file, policy('two'));
    await_everywhere('two', 200);
};

subtest 'a reload with a bad policy is refused, and nothing changes' => sub {
    replace($file, "bindngs: []\n");
    my $from = length $server->error_log;
    $server->signal('HUP');
    $server->await('the refusal', sub { substr($server->error_log, $from) =~ /\[emerg\].*mesh_policy: \S+policy\.yaml:1:1: / });
    is produce('two')->{status}, 200;
    replace($file, policy('four'));
    $server->reload($conf);
    await_everywhere('four', 200);
};

$server->expect_log(qr/\[emerg\].*mesh_policy/, qr/exited on signal 9/, qr/\[error\].*policy\.yaml/,
    qr/\[crit\]/) if $server->can('expect_log');
$server->stop;
done_testing;
