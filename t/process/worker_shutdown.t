# Workers end at once when they are told to, though a thread runs in them; and nothing but a worker
# runs that thread.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Process qw(children);
use Test::Mesh::Server;

# Seconds within which a process ends that nothing holds up. It is a second on an idle machine; what
# would hold it up here has no end, or that of a connection (75 s).
my $SOON = 30;

my $dir = tempdir(CLEANUP => 1);
new_keys($dir, 'a', 'b');
spew("$dir/keys.json", slurp("$dir/a.set"));
my $conf = <<"CONF" . <<'CONF';
mesh_issuer idp {
    issuer https://idp.example;
    audience mesh;
    jwks $dir/keys.json;
}
CONF
mesh_log_level info;
proxy_cache_path %%ROOT%%/cache keys_zone=cache:1m;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /t {
        mesh_authenticate token;
        mesh_limit calls rate=100r/s burst=1000;
        empty_gif;
    }
}
CONF
my ($a, $b) = map { bearer(key => "$dir/$_.jwk") } 'a', 'b';

# Threads.
my $server = Test::Mesh::Server->start($conf, workers => 2);
my ($worker, @others) = $server->worker_pids;
for my $pid ($worker, @others) {
    my %blocked = threads($pid);
    my @threads = grep { $_ != $pid } keys %blocked;
    is @threads, 1, 'a worker runs one thread';
    is $blocked{$pid}, 0, '... itself blocks no signal';
    # SIGKILL and SIGSTOP cannot be blocked; 32 and 33 are those of the C library.
    my @open = grep { !($blocked{ $threads[0] } >> ($_ - 1) & 1) } 1 .. 31;
    is "@open", '9 19', '... and its thread blocks all that can be';
}
my %process = map { $_ => [children($server->master_pid, $_)] }
    'nginx: cache manager process', 'nginx: cache loader process';
for my $title (sort keys %process) {
    is $process{$title}->@*, 1, "there is one $title";
    is keys %{ { threads($process{$title}[0]) } }, 1, '... which runs no thread';
}
is keys %{ { threads($server->master_pid) } }, 1, 'neither does the master';

# How long a worker takes to end.
for my $signal (qw(TERM QUIT)) {
    ($worker) = $server->worker_pids;
    $server->signal($signal, $worker);
    cmp_ok ended($worker), '<', $SOON, "an idle worker ends at its $signal";
    $server->await('another one', sub { $server->worker_pids == 2 });
}
my @old = $server->worker_pids;
my $client = $server->connect;
is $client->request('GET', '/t', headers => [$a])->{status}, 200, 'a connection is open';
my $began = time;
$server->reload;
ended($_) for @old;
cmp_ok time - $began, '<', $SOON, 'a reload takes them away, and an idle connection does not hold them';
$client->close;
for my $signal (qw(QUIT TERM INT)) {
    my @all = ($server->worker_pids, map { children($server->master_pid, $_) } keys %process);
    $began = time;
    $server->stop($signal);
    cmp_ok time - $began, '<', $SOON, "all of Nginx ends at the master's $signal";
    is grep({ -d "/proc/$_" } @all), 0, '... and leaves no process behind';
    $server = Test::Mesh::Server->start($conf, workers => 2);
}

# A worker that is asked to end while its thread reads a file that never stands still.
my $writer = fork // die "fork: $!\n";
if (!$writer) {
    local $SIG{TERM} = 'DEFAULT';
    my $parent = getppid;
    while (getppid == $parent) {
        open my $out, '>', "$dir/keys.json";
        print {$out} ' ' x 900_000;
        close $out;
    }
    POSIX::_exit(0);
}
sleep 1.5;
@old = $server->worker_pids;
$began = time;
$server->signal('QUIT', $_) for @old;
ended($_) for @old;
cmp_ok time - $began, '<', $SOON, 'a thread that is busy holds no worker up';
kill 'TERM', $writer;
waitpid $writer, 0;
spew("$dir/keys.json", slurp("$dir/a.set"));
$server->await('others', sub { $server->worker_pids == 2 });
$server->stop;

# One process.
sleep 0.3;
my $single = $conf =~ s/proxy_cache_path.*/mesh_zone 1m;/r;
$server = Test::Mesh::Server->start($single,
    name => 'a single process', main => 'master_process off;', workers => 0);
$server->await('a listener', sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) });
is $server->get('/t', $a)->{status}, 200, 'a single process serves';
is $server->get('/t', $b)->{status}, 401, '... and refuses';
is keys %{ { threads($server->master_pid) } }, 1, '... without a thread';
replace("$dir/keys.json", slurp("$dir/b.set"));
sleep 2.2;
is $server->get('/t', $b)->{status}, 401, '... so that files are read at the start';
# It unmaps the zone under its own requests: Nginx itself calls this mode one for debugging.
eval { $server->reload($single =~ s/mesh_zone 1m/mesh_zone 2m/r) };
$server->await_log(qr/size cannot change on reload with "master_process off" in (zone "mesh")/);
is $server->get('/t', $a)->{status}, 200, '... and it keeps its zone, whatever a reload asks for';
$server->expect_log(qr/\[emerg\].*size cannot change/);
$began = time;
$server->stop;
cmp_ok time - $began, '<', $SOON, '... and it ends';
done_testing;

# The signals that each thread of a process blocks, by its number.
sub threads ($pid) {
    return map {
        my ($thread) = m{/(\d+)/status\z};
        my ($mask) = slurp($_, '') =~ /^SigBlk:\s*([0-9a-f]+)/m;
        $thread => unpack 'Q>', pack 'H16', $mask;
    } glob "/proc/$pid/task/*/status";
}

# Waits for the end of a process, and returns the seconds that it took.
sub ended ($pid) {
    my $from = time;
    sleep 0.005 while -d "/proc/$pid" && time - $from < $SOON;
    return time - $from;
}
