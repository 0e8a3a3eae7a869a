# A key set that changes counts in every worker, however it was written: no reload.

use v5.36;

use lib 't/lib';

use File::Temp qw(tempdir);
use List::Util qw(max);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::Mesh::Credentials;
use Test::Mesh::File;
use Test::Mesh::Load qw(each_worker);
use Test::Mesh::Server;

my $dir = tempdir(CLEANUP => 1);
my @names = qw(first second third);
meshctl('key', 'generate', '--alg', 'ES256', '--kid', $_, '--out', "$dir/$_.jwk", '--jwks', "$dir/$_.set")
    for @names;
# Seconds for which a file was halved or gone.
my $longest_gap = 0;
my %set = map { $_ => slurp("$dir/$_.set") } @names;

# How a file becomes another one: begun with the first key, then written anew with each of the others.
my %ways = (
    'in place' => { begin => \&write_in_place, next => \&write_in_place },
    'in two pieces' => { begin => \&write_in_place, next => \&write_in_pieces },
    'renamed over' => { begin => \&write_in_place, next => \&rename_over },
    'symbolic link' => { begin => \&swap_link, next => \&swap_link },
    'Kubernetes volume' => { begin => \&swap_volume, next => \&swap_volume },
    'deleted and made again' => { begin => \&write_in_place, next => \&delete_and_make },
);
my @ways = sort keys %ways;
my $conf = '';
for my $number (0 .. $#ways) {
    my $way = $ways{ $ways[$number] };
    $way->@{qw(number dir)} = ($number, "$dir/$number");
    mkdir $way->{dir};
    $way->{begin}->($way->{dir}, 'first');
    $conf .= <<"END";
mesh_issuer issuer$number {
    issuer https://issuer$number.example;
    audience mesh;
    jwks $dir/$number/keys.json;
}
END
}
# A file that has settled is not read twice.
sleep 0.3;
my $server = Test::Mesh::Server->start($conf . <<'CONF', workers => 2);
mesh_log_level info;
server {
    listen 127.0.0.1:%%PORT%%;
    location = /t {
        mesh_authenticate token;
        add_header X-Worker $pid always;
        empty_gif;
    }
}
CONF
my @workers = $server->worker_pids;
my $clients = each_worker($server, '/t');

is status_of($_, 'first'), '200 200', "$_: the first key is in force" for @ways;
is status_of($_, 'second'), '401 401', "$_: the second one is not" for @ways;
for my $change ([qw(first second)], [qw(second third)]) {
    my ($old, $new) = @$change;
    # The stamps of the version before have settled, as in life.
    sleep 0.3;
    my %began;
    for my $name (@ways) {
        $began{$name} = time;
        $ways{$name}{next}->($ways{$name}{dir}, $new);
    }
    my %waiting = map { $_ => 1 } @ways;
    my %took;
    while (%waiting && time - $began{ $ways[-1] } < 120) {
        sleep 0.05;
        for my $name (keys %waiting) {
            next if status_of($name, $new) ne '200 200' || status_of($name, $old) ne '401 401';
            $took{$name} = time - $began{$name};
            delete $waiting{$name};
        }
    }
    for my $name (@ways) {
        ok defined $took{$name}, "$name: the $new key replaces the $old one in both workers";
        note sprintf '%s: %.2f s', $name, $took{$name} // 'Inf';
    }
}
is join(' ', sort $server->worker_pids), join(' ', sort @workers), 'by the same workers';

# Worker 0 speaks for all. Its messages are told with the next turn of its timer.
for my $number (0 .. $#ways) {
    $server->await("messages of issuer$number", sub { (my @told = told($number)) >= 2 });
}
# In which more would be told.
sleep 0.6;
for my $number (0 .. $#ways) {
    my @told = told($number);
    is @told, 2, "$ways[$number]: each change is told once" or diag @told;
}
my @errors = $server->error_log =~ /.*\[(?:error|warn)\].*/g;
# A file that is halved or gone for longer is one, and a machine may stop us just there.
my $is_slow = $longest_gap > 0.5;
$server->expect_log(qr/\[(?:error|warn)\].*keys\.json/) if $is_slow;
is @errors, 0, 'nothing of it is an error' or diag @errors unless $is_slow;
$server->stop;
done_testing;

sub told ($number) { return $server->error_log =~ /.*\[notice\].*"issuer$number".*/g }

# What the workers answer to a token of that key, by the way that its issuer's file is written.
sub status_of ($name, $key) {
    my $number = $ways{$name}{number};
    my $bearer = bearer(key => "$dir/$key.jwk", issuer => "https://issuer$number.example");
    return join ' ', map { $_->[0]->request('GET', '/t', headers => [$bearer])->{status} } values %$clients;
}

sub write_in_place ($to, $name) { spew("$to/keys.json", $set{$name}) }

sub write_in_pieces ($to, $name) {
    open my $out, '>:raw', "$to/keys.json" or die "$to: $!\n";
    $out->autoflush;
    print {$out} substr $set{$name}, 0, 40;
    my $began = time;
    sleep 0.2;
    print {$out} substr $set{$name}, 40;
    close $out or die "$to: $!\n";
    $longest_gap = max($longest_gap, time - $began);
}

sub rename_over ($to, $name) { replace("$to/keys.json", $set{$name}) }

sub swap_link ($to, $name) {
    spew("$to/$name.json", $set{$name});
    symlink "$name.json", "$to/new" or die "symlink: $!\n";
    rename "$to/new", "$to/keys.json" or die "rename: $!\n";
}

# As the kubelet does: keys.json -> ..data/keys.json, ..data -> a directory of this version.
sub swap_volume ($to, $name) {
    mkdir "$to/..$name";
    spew("$to/..$name/keys.json", $set{$name});
    my ($old) = readlink "$to/..data";
    symlink "..$name", "$to/..data_tmp" or die "symlink: $!\n";
    rename "$to/..data_tmp", "$to/..data" or die "rename: $!\n";
    symlink '..data/keys.json', "$to/keys.json" unless -l "$to/keys.json";
    return if !defined $old;
    unlink "$to/$old/keys.json";
    rmdir "$to/$old" or die "rmdir: $!\n";
}

sub delete_and_make ($to, $name) {
    my $began = time;
    unlink "$to/keys.json";
    sleep 0.3;
    spew("$to/keys.json", $set{$name});
    $longest_gap = max($longest_gap, time - $began);
}
